// Tests of accept(): who waits where, who comes out at a stop, and running out of descriptors.
#include <miniss/net/listener.hh>

#include <algorithm>
#include <cerrno>

#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/raw_peer.hh>
#include <miniss/tests/net/real_shard.hh>

using namespace miniss;

namespace {

// More than the 64 that are accepted ahead of the user.
constexpr std::size_t crowd = 200;

std::vector<raw_peer> connect_many(const server_socket& listener, std::size_t count) {
    std::vector<raw_peer> peers;
    for (std::size_t i = 0; i < count; ++i) {
        peers.push_back(raw_peer::connect_to(listener.local_address()));
        REQUIRE(peers.back().error() == 0);
    }
    return peers;
}

std::vector<connected_socket> accept_many(real_shard& shard, server_socket& listener,
                                          std::size_t count) {
    std::vector<connected_socket> accepted;
    while (accepted.size() < count) {
        accepted.push_back(shard.run([&] { return listener.accept(); }));
    }
    return accepted;
}

int next_error(real_shard& shard, server_socket& listener) {
    return shard.run([&] { return errno_of(listener.accept()); });
}

// Enough for the backend to have asked the kernel, and to have got its answer.
void run_some_turns(real_shard& shard) {
    shard.run_until([turns = 0]() mutable { return ++turns == 10; });
}

// Until the shard has accepted as far ahead as it will.
void run_until_descriptors_rest(real_shard& shard) {
    shard.run_until([quiet = 0, last = std::size_t(0)]() mutable {
        const auto now = descriptor_count();
        quiet = now == std::exchange(last, now) ? quiet + 1 : 0;
        return quiet == 20;
    });
}

void check_all_gone(real_shard& shard, std::vector<raw_peer>& peers) {
    shard.run_until([&] {
        return std::all_of(peers.begin(), peers.end(), [](raw_peer& peer) { return peer.gone(); });
    });
}

}  // namespace

TEST_CASE("connections come out of accept() in the order in which they came in", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto peers = connect_many(listener, crowd);
    const auto accepted = accept_many(shard, listener, crowd);
    for (std::size_t i = 0; i < crowd; ++i) {
        CAPTURE(i);
        sockaddr_storage storage{};
        socklen_t size_bytes = sizeof storage;
        auto* plain = reinterpret_cast<sockaddr*>(&storage);
        REQUIRE(::getsockname(peers[i].fd(), plain, &size_bytes) == 0);
        CHECK(accepted[i].remote_address().port() == socket_address(plain, size_bytes).port());
    }
}

TEST_CASE("accept() waits until somebody comes", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    for (int round = 0; round < 3; ++round) {
        auto waiting = listener.accept();
        run_some_turns(shard);
        CHECK_FALSE(waiting.available());
        const auto peers = connect_many(listener, 1);
        shard.run_until([&] { return waiting.available(); });
        CHECK(static_cast<bool>(waiting.get()));
    }
}

TEST_CASE("who does not accept leaves the crowd to the kernel, and loses nobody", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto first = connect_many(listener, 1);
    (void)accept_many(shard, listener, 1);
    const auto early = connect_many(listener, crowd);
    run_until_descriptors_rest(shard);
    const auto before = descriptor_count();
    const auto late = connect_many(listener, crowd);
    run_until_descriptors_rest(shard);
    CHECK(descriptor_count() == before + crowd);  // Only those of the test itself are new.
    CHECK(accept_many(shard, listener, crowd * 2).size() == crowd * 2);
}

TEST_CASE("stop() lets in nobody more, and hands out those who are in already", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto address = listener.local_address();
    const bool some_are_ahead = GENERATE(false, true);
    auto peers = connect_many(listener, crowd);
    std::size_t accepted_count = 0;
    if (some_are_ahead) {
        accepted_count = accept_many(shard, listener, 1).size();
    }
    listener.stop();
    listener.stop();  // Of no further effect.
    std::vector<connected_socket> accepted;
    accepted = accept_many(shard, listener, crowd - accepted_count);
    CHECK(next_error(shard, listener) == ECONNABORTED);
    CHECK(next_error(shard, listener) == ECONNABORTED);
    CHECK(raw_peer::connect_to(address).error() == ECONNREFUSED);
    CHECK(listener.local_address().family() == AF_UNSPEC);
    for (auto& peer : peers) {
        peer.send("x");
    }
    for (auto& each : accepted) {
        auto in = each.input();
        CHECK(shard.run([&in] { return in.read(); }).view() == "x");
    }
}

TEST_CASE("stop() ends an accept() that waits", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    auto waiting = errno_of(listener.accept());
    const bool is_armed = GENERATE(false, true);
    if (is_armed) {
        run_some_turns(shard);
    }
    listener.stop();
    shard.run_until([&] { return waiting.available(); });
    CHECK(waiting.get() == ECONNABORTED);
}

TEST_CASE("abort_accept() drops those who are in already", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto before = descriptor_count();
    auto peers = connect_many(listener, crowd);
    const bool some_are_ahead = GENERATE(false, true);
    if (some_are_ahead) {
        (void)accept_many(shard, listener, 1);
    }
    listener.abort_accept();
    CHECK(next_error(shard, listener) == ECONNABORTED);
    CHECK(next_error(shard, listener) == ECONNABORTED);
    check_all_gone(shard, peers);
    peers.clear();
    CHECK(descriptor_count() == before - 1);  // The listener's own is gone too.
}

TEST_CASE("abort_accept() ends an accept() that waits", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    auto waiting = errno_of(listener.accept());
    // They are in the kernel's hands when accept() is told to give up.
    auto peers = connect_many(listener, 3);
    listener.abort_accept();
    shard.run_until([&] { return waiting.available(); });
    CHECK(waiting.get() == ECONNABORTED);
    check_all_gone(shard, peers);
}

TEST_CASE("a listener that dies closes all who wait", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const auto before = descriptor_count();
    auto listener = std::make_optional(listen(socket_address::parse("127.0.0.1:0")));
    const auto address = listener->local_address();
    auto peers = connect_many(*listener, crowd);
    const bool some_are_ahead = GENERATE(false, true);
    if (some_are_ahead) {
        (void)accept_many(shard, *listener, 1);
    }
    listener.reset();
    check_all_gone(shard, peers);
    CHECK(raw_peer::connect_to(address).error() == ECONNREFUSED);
    peers.clear();
    CHECK(descriptor_count() == before);
}

TEST_CASE("without a descriptor accept() fails, and goes on when there is one", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto stopped = listen(socket_address::parse("127.0.0.1:0"));
    stopped.stop();
    CHECK(next_error(shard, stopped) == ECONNABORTED);
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto peers = connect_many(listener, 3);
    {
        const no_more_descriptors exhausted;
        CHECK(next_error(shard, listener) == EMFILE);
        CHECK(next_error(shard, listener) == EMFILE);
    }
    CHECK(accept_many(shard, listener, 3).size() == 3);
}

TEST_CASE("stop() without a descriptor still closes the listener", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto stopped = listen(socket_address::parse("127.0.0.1:0"));
    stopped.stop();
    CHECK(next_error(shard, stopped) == ECONNABORTED);
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    auto peers = connect_many(listener, 3);
    {
        const no_more_descriptors exhausted;
        listener.stop();
        CHECK(next_error(shard, listener) == ECONNABORTED);
    }
    check_all_gone(shard, peers);
}

TEST_CASE("an accept() that waits fails when its shard stops", "[accept]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    auto waiting = errno_of(listener.accept());
    run_some_turns(shard);
    CHECK_FALSE(waiting.available());
    shard.stop();
    REQUIRE(waiting.available());
    CHECK(waiting.get() == ECANCELED);
}
