// Tests of connected sockets over the real kernel: what only real sockets do.
#include <miniss/net/socket.hh>

#include <cerrno>

#include <miniss/core/when_all.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/raw_peer.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/transfer.hh>

using namespace miniss;

namespace {

// One of our sockets, its streams, and a plain one at the other end. With small buffers in the
// kernel, where waiting is what is tested.
struct connected_pair {
    real_shard& shard;
    raw_peer peer;
    connected_socket socket;
    input_stream<char> in;
    output_stream<char> out;

    explicit connected_pair(real_shard& of, std::pair<int, int> fds = make_socketpair())
        : shard(of),
          peer(fds.first),
          socket(adopt_socket(of.backend(), fds.second)),
          in(socket.input()),
          out(socket.output()) {}

    std::string read() {
        return std::string(shard.run([this] { return in.read(); }).view());
    }
    void drop() {
        in = {};
        out = {};
        socket = {};
    }
};

void run_some_turns(real_shard& shard) {
    shard.run_until([turns = 0]() mutable { return ++turns == 20; });
}

// Lets `peer` send until it can send no more, however long the shard runs. Returns how much.
std::size_t send_until_stuck(real_shard& shard, raw_peer& peer, const std::string& bytes) {
    std::size_t sent_bytes = 0;
    shard.run_until([&, quiet = 0]() mutable {
        const auto more = peer.try_send(std::string_view(bytes).substr(sent_bytes));
        sent_bytes += more;
        quiet = more == 0 ? quiet + 1 : 0;
        return quiet == 50;
    });
    return sent_bytes;
}

// Both ends of a TCP connection on the loopback, each with the smallest buffers.
std::pair<int, int> make_tcp_pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto any = socket_address::parse("127.0.0.1:0");
    const int smallest = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
    ::setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    REQUIRE(::bind(listener, any.data(), any.size()) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    sockaddr_storage storage{};
    socklen_t size_bytes = sizeof storage;
    auto* plain = reinterpret_cast<sockaddr*>(&storage);
    REQUIRE(::getsockname(listener, plain, &size_bytes) == 0);
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::setsockopt(client, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
    ::setsockopt(client, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    REQUIRE(::connect(client, plain, size_bytes) == 0);
    const int served = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(served >= 0);
    ::close(listener);
    return {client, served};
}

// The backends' own sockets are non-blocking or not, as each of them needs it.
std::pair<int, int> as_accepted(io_backend& backend, std::pair<int, int> fds) {
    if (std::string_view(backend.name()) == "epoll") {
        ::fcntl(fds.second, F_SETFL, O_NONBLOCK);
    }
    return fds;
}

}  // namespace

TEST_CASE("a slow reader gets every byte of a send that the kernel takes in parts",
          "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    const std::string sent = distinct_bytes(3'000'000);
    auto writing = pair.out.write(sent);
    run_some_turns(shard);
    CHECK_FALSE(writing.available());
    char piece[3001];
    std::size_t received_bytes = 0;
    shard.run_until([&] {
        received_bytes += pair.peer.take(piece, sizeof piece);
        return received_bytes == sent.size();
    });
    shard.run([&] { return std::move(writing); });
    CHECK(pair.peer.received() == sent);
}

TEST_CASE("many pieces of one gathered send arrive in order", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    connected_pair pair(shard, as_accepted(shard.backend(), make_socketpair()));
    std::string expected;
    std::vector<future<>> writing;
    // As many pieces as one flush can have: a buffer just too large to be copied, a small write
    // between each two.
    for (unsigned i = 0; i < 250; ++i) {
        const std::string small = std::to_string(i);
        const std::string large = distinct_bytes(513, i);
        REQUIRE(pair.out.write(small).available());
        REQUIRE(pair.out.write(temporary_buffer<char>(large.data(), large.size())).available());
        expected += small + large;
    }
    auto flushed = pair.out.flush();
    shard.run_until([&] { return pair.peer.received().size() == expected.size(); });
    CHECK(pair.peer.received() == expected);
    shard.run([&] { return std::move(flushed); });
}

TEST_CASE("a peer whose bytes nobody reads has to wait, and none of them is lost",
          "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    const std::string sent = distinct_bytes(8'000'000);
    pair.peer.send(std::string_view(sent).substr(0, 1));
    CHECK(pair.read() == sent.substr(0, 1));  // Now it receives ahead.
    const auto ahead_bytes = send_until_stuck(shard, pair.peer, sent.substr(1));
    // What the kernel keeps for a socket, and what we keep.
    CHECK(ahead_bytes < 2'000'000);
    auto reading = read_to_end(pair.in);
    std::size_t sent_bytes = 1 + ahead_bytes;
    shard.run_until([&] {
        sent_bytes += pair.peer.try_send(std::string_view(sent).substr(sent_bytes));
        return sent_bytes == sent.size();
    });
    pair.peer.finish();
    CHECK(shard.run([&] { return std::move(reading); }) == sent.substr(1));
}

TEST_CASE("writing to a peer that is gone fails, with no signal", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    pair.peer.close();
    int error = 0;
    for (int i = 0; i < 100 && error == 0; ++i) {
        error = shard.run(
            [&] { return errno_of(pair.out.write("x").then([&] { return pair.out.flush(); })); });
    }
    CHECK((error == EPIPE || error == ECONNRESET));
    CHECK(shard.run([&] {
        return errno_of(pair.out.write("x").then([&] { return pair.out.flush(); }));
    }) == EPIPE);
}

TEST_CASE("a write that waits fails when the peer goes", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    auto writing = errno_of(pair.out.write(distinct_bytes(3'000'000)));
    run_some_turns(shard);
    CHECK_FALSE(writing.available());
    pair.peer.reset();
    const int error = shard.run([&] { return std::move(writing); });
    CHECK((error == EPIPE || error == ECONNRESET));
}

TEST_CASE("a read that waits fails with ECONNRESET when the peer resets", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    connected_pair pair(shard, as_accepted(shard.backend(), make_tcp_pair()));
    pair.peer.send("last words");
    CHECK(pair.read() == "last words");
    auto reading = errno_of(pair.in.read());
    run_some_turns(shard);
    pair.peer.reset();
    CHECK(shard.run([&] { return std::move(reading); }) == ECONNRESET);
    CHECK(shard.run([&] { return errno_of(pair.in.read()); }) == ECONNRESET);
}

TEST_CASE("the end of the stream stands behind the last bytes, also if nobody read them before",
          "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    connected_pair pair(shard, as_accepted(shard.backend(), make_socketpair()));
    pair.peer.send("a");
    CHECK(pair.read() == "a");
    pair.peer.send("b");
    run_some_turns(shard);
    pair.peer.send("c");
    run_some_turns(shard);
    pair.peer.finish();
    run_some_turns(shard);
    CHECK(shard.run([&] { return read_to_end(pair.in); }) == "bc");
    pair.socket.shutdown_output();
    shard.run_until([&] { return pair.peer.ended(); });
}

TEST_CASE("either side can finish sending while the other goes on", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    SECTION("the peer") {
        pair.peer.send("last");
        pair.peer.finish();
        CHECK(shard.run([&] { return read_to_end(pair.in); }) == "last");
        for (const char* text : {"one", "two"}) {
            shard.run([&] { return pair.out.write(text).then([&] { return pair.out.flush(); }); });
        }
        shard.run([&] { return pair.out.close(); });
        shard.run_until([&] { return pair.peer.ended(); });
        CHECK(pair.peer.received() == "onetwo");
    }
    SECTION("we") {
        shard.run([&] { return pair.out.write("last").then([&] { return pair.out.close(); }); });
        shard.run_until([&] { return pair.peer.ended(); });
        CHECK(pair.peer.received() == "last");
        for (const char* text : {"one", "two"}) {
            pair.peer.send(text);
            CHECK(shard.run([&] { return pair.in.read_exactly(3); }).view() == text);
        }
        pair.peer.finish();
        CHECK(shard.run([&] { return pair.in.read(); }).empty());
    }
    CHECK(pair.peer.error() == 0);
}

TEST_CASE("shutdown_output() ends a write that waits", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    auto writing = errno_of(pair.out.write(distinct_bytes(3'000'000)));
    run_some_turns(shard);
    CHECK_FALSE(writing.available());
    pair.socket.shutdown_output();
    CHECK(shard.run([&] { return std::move(writing); }) == EPIPE);
    shard.run_until([&] { return pair.peer.ended(); });
    CHECK(shard.run([&] {
        return errno_of(pair.out.write("x").then([&] { return pair.out.flush(); }));
    }) == EPIPE);
}

TEST_CASE("dropping a socket in the middle of everything closes it", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const bool tcp = GENERATE(false, true);
    const auto before = descriptor_count();
    connected_pair pair(shard,
                        as_accepted(shard.backend(), tcp ? make_tcp_pair() : make_socketpair()));
    auto reading = errno_of(pair.in.read());
    auto writing = errno_of(pair.out.write(distinct_bytes(3'000'000)));
    const bool is_under_way = GENERATE(false, true);
    if (is_under_way) {
        run_some_turns(shard);
    }
    pair.drop();
    shard.run_until([&] { return reading.available() && writing.available(); });
    CHECK(reading.get() == ECONNABORTED);
    CHECK(writing.get() != 0);
    shard.run_until_idle();
    CHECK(descriptor_count() == before + 1);
    shard.run_until([&] { return pair.peer.gone(); });
}

TEST_CASE("buffers may be kept beyond the life of their socket", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    constexpr unsigned kept_count = 2000;
    std::vector<temporary_buffer<char>> kept;
    // More than there are in a ring of buffers: who keeps them must not starve the others.
    for (unsigned i = 0; i < kept_count; ++i) {
        connected_pair pair(shard, as_accepted(shard.backend(), make_socketpair()));
        pair.peer.send(distinct_bytes(1000, i));
        kept.push_back(shard.run([&] { return pair.in.read(); }));
    }
    shard.run_until_idle();
    for (unsigned i = 0; i < kept_count; ++i) {
        CHECK(kept[i].view() == distinct_bytes(1000, i));
    }
}

TEST_CASE("many who receive at the same moment all get their bytes", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    std::vector<std::unique_ptr<connected_pair>> pairs;
    std::vector<future<std::string>> reading;
    for (unsigned i = 0; i < 400; ++i) {  // Far more bytes than fit into a ring of buffers.
        pairs.push_back(std::make_unique<connected_pair>(
            shard, as_accepted(shard.backend(), make_socketpair())));
        pairs.back()->peer.send(distinct_bytes(30'000, i));
        pairs.back()->peer.finish();
        reading.push_back(read_to_end(pairs.back()->in));
    }
    for (unsigned i = 0; i < 400; ++i) {
        CHECK(shard.run([&] { return std::move(reading[i]); }) == distinct_bytes(30'000, i));
    }
}

TEST_CASE("who gives up while buffers are short is gone all the same", "[stream_socket]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    std::vector<std::unique_ptr<connected_pair>> pairs;
    std::vector<future<int>> reading;
    for (unsigned i = 0; i < 400; ++i) {
        pairs.push_back(std::make_unique<connected_pair>(
            shard, as_accepted(shard.backend(), make_socketpair())));
        pairs.back()->peer.send(distinct_bytes(30'000));
        reading.push_back(errno_of(pairs.back()->in.read()));
    }
    for (auto& each : pairs) {
        each->drop();
    }
    shard.run_until_idle();
    for (auto& each : pairs) {
        CHECK(each->peer.gone());
    }
}
