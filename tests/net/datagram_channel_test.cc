// Tests of datagrams, over the real kernel on every backend and over a simulated network.
#include <miniss/net/datagram_channel.hh>

#include <cerrno>
#include <set>

#include <miniss/core/loop.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/net/counting_backend.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

const socket_address any_port = socket_address::parse("127.0.0.1:0");

template <typename Body>
void on_real_networks(Body body) {
    for (const backend_kind kind : backends_to_test()) {
        CAPTURE(static_cast<int>(kind));
        const std::size_t open_before = descriptor_count();
        {
            real_shard shard(kind);
            body(shard);
            shard.run_until_idle();
        }
        CHECK(descriptor_count() == open_before);
    }
}

template <typename Body>
void on_every_network(Body body) {
    on_real_networks(body);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CAPTURE(seed);
        test_shard shard(seed);
        body(shard);
        shard.run_until_rest();
        CHECK(shard.network().descriptor_count() == 0);
    }
}

std::string text_of(datagram& received) { return std::string(received.get_data().view()); }

future<> all_of(std::vector<future<>> sending) {
    return when_all_succeed(sending.begin(), sending.end()).discard_result();
}

template <typename Shard>
std::string receive_text(Shard& shard, datagram_channel& channel) {
    auto received = shard.run([&] { return channel.receive(); });
    CHECK(!received.truncated());
    return text_of(received);
}

}  // namespace

TEST_CASE("a datagram arrives whole, with the address to answer to", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto client = make_unbound_datagram_channel(AF_INET);
        CHECK(server.local_address().port() != 0);
        shard.run([&] { return client.send(server.local_address(), "question"); });
        auto asked = shard.run([&] { return server.receive(); });
        CHECK(text_of(asked) == "question");
        CHECK(asked.get_src().port() == client.local_address().port());
        shard.run([&] { return server.send(asked.get_src(), "answer"); });
        auto answer = shard.run([&] { return client.receive(); });
        CHECK(text_of(answer) == "answer");
        CHECK(answer.get_src().to_string() == server.local_address().to_string());
    });
}

TEST_CASE("bounds are kept: of an empty datagram, small ones and the longest", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto client = make_unbound_datagram_channel(AF_INET);
        const std::string longest(65507, 'x');
        for (const std::string& sent : {std::string(), std::string("a"), longest, std::string()}) {
            shard.run([&] { return client.send(server.local_address(), sent); });
            CHECK((receive_text(shard, server) == sent));
        }
    });
}

TEST_CASE("what is sent in one turn, and by many, all arrives", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto client = make_unbound_datagram_channel(AF_INET);
        std::multiset<std::string> sent;
        std::multiset<std::string> arrived;
        shard.run([&] {
            std::vector<future<>> sending;
            for (int i = 0; i < 100; ++i) {
                const std::string text = std::to_string(i);
                sent.insert(text);
                sending.push_back(client.send(server.local_address(), text));
            }
            return all_of(std::move(sending));
        });
        while (arrived.size() < sent.size()) {
            arrived.insert(receive_text(shard, server));
        }
        CHECK(arrived == sent);
    });
}

TEST_CASE("what leaves together, and what has come, takes a system call for 32", "[datagram]") {
    const auto kind = GENERATE(from_range(backends_to_test()));
    std::size_t stream_send_count = 0;
    auto counting = std::make_unique<counting_backend>(kind, stream_send_count);
    counting_sockets& calls = counting->sockets();
    real_shard shard(std::move(counting));
    auto server = make_bound_datagram_channel(any_port);
    auto client = make_unbound_datagram_channel(AF_INET);
    const auto to = server.local_address();
    shard.run([&] {
        std::vector<future<>> sending;
        for (int i = 0; i < 64; ++i) {
            sending.push_back(client.send(to, "x"));
        }
        return all_of(std::move(sending));
    });
    CHECK(calls.datagram_send_count == 2);
    for (int i = 0; i < 64; ++i) {
        CHECK(receive_text(shard, server) == "x");
    }
    // The first call may come before it is known that something is there.
    CHECK(calls.datagram_receive_count <= 3);
}

TEST_CASE("a datagram that is too long is refused, and those around it are sent", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto client = make_unbound_datagram_channel(AF_INET);
        const std::string too_long(65508, 'x');
        const auto to = server.local_address();
        auto first = client.send(to, "same");
        auto refused = errno_of(client.send(to, too_long));
        auto last = client.send(to, "same");
        CHECK(shard.run([&] { return std::move(refused); }) == EMSGSIZE);
        shard.run(
            [&] { return when_all_succeed(std::move(first), std::move(last)).discard_result(); });
        CHECK(receive_text(shard, server) == "same");
        CHECK(receive_text(shard, server) == "same");
    });
}

TEST_CASE("who is connected hears that nobody is there, and goes on", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        const auto address = server.local_address();
        server = {};
        shard.run([] { return sleep(0ms); });
        auto client = shard.run([&] { return make_connected_datagram_channel(address); });
        shard.run([&] { return client.send("is anybody there?"); });
        CHECK(shard.run([&] { return errno_of(client.receive()); }) == ECONNREFUSED);
        server = make_bound_datagram_channel(address);
        shard.run([&] { return client.send("and now?"); });
        auto asked = shard.run([&] { return server.receive(); });
        CHECK(text_of(asked) == "and now?");
        shard.run([&] { return server.send(asked.get_src(), "yes"); });
        CHECK(receive_text(shard, client) == "yes");
    });
}

TEST_CASE("who is connected hears nobody else", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto stranger = make_unbound_datagram_channel(AF_INET);
        auto client =
            shard.run([&] { return make_connected_datagram_channel(server.local_address()); });
        shard.run([&] { return client.send("hello"); });
        auto hello = shard.run([&] { return server.receive(); });
        shard.run([&] { return stranger.send(hello.get_src(), "forged"); });
        shard.run([&] { return server.send(hello.get_src(), "genuine"); });
        CHECK(receive_text(shard, client) == "genuine");
    });
}

TEST_CASE("without an address there is nowhere to send to", "[datagram]") {
    on_every_network([](auto& shard) {
        auto channel = make_unbound_datagram_channel(AF_INET);
        CHECK(shard.run([&] { return errno_of(channel.send("whither?")); }) == EDESTADDRREQ);
    });
}

TEST_CASE("an address is taken, unless all who use it share it", "[datagram]") {
    on_every_network([](auto&) {
        auto first = make_bound_datagram_channel(any_port, {.reuse_port = true});
        const auto address = first.local_address();
        CHECK(errno_thrown_by([&] { make_bound_datagram_channel(address); }) == EADDRINUSE);
        auto second = make_bound_datagram_channel(address, {.reuse_port = true});
        CHECK(second.local_address().port() == address.port());
    });
}

TEST_CASE("shutdown_input() ends a receive that waits, and later ones; sending goes on",
          "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto channel = make_bound_datagram_channel(any_port);
        auto waiting = errno_of(channel.receive());
        shard.run([] { return sleep(1ms); });
        CHECK(!waiting.available());
        channel.shutdown_input();
        CHECK(shard.run([&] { return std::move(waiting); }) == ECONNABORTED);
        CHECK(shard.run([&] { return errno_of(channel.receive()); }) == ECONNABORTED);
        CHECK(!channel.is_closed());
        shard.run([&] { return channel.send(server.local_address(), "still here"); });
        CHECK(receive_text(shard, server) == "still here");
    });
}

TEST_CASE("close() fails what waits to be sent, and a channel may die at any moment",
          "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto channel = make_unbound_datagram_channel(AF_INET);
        auto unsent = errno_of(channel.send(server.local_address(), "never"));
        auto waiting = errno_of(channel.receive());
        channel.close();
        CHECK(channel.is_closed());
        CHECK(shard.run([&] { return std::move(unsent); }) == EPIPE);
        CHECK(shard.run([&] { return std::move(waiting); }) == ECONNABORTED);
        CHECK(shard.run([&] { return errno_of(channel.send(any_port, "late")); }) == EPIPE);
        auto other = make_unbound_datagram_channel(AF_INET);
        auto dropped = errno_of(other.send(server.local_address(), "never"));
        other = {};
        CHECK(shard.run([&] { return std::move(dropped); }) == EPIPE);
    });
}

TEST_CASE("more sends than the queue holds are refused, the others are not harmed", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto client = make_unbound_datagram_channel(AF_INET);
        std::vector<future<>> sending;
        for (int i = 0; i < 1024; ++i) {
            sending.push_back(client.send(server.local_address(), "x"));
        }
        CHECK(shard.run([&] { return errno_of(client.send(any_port, "one too many")); }) ==
              ENOBUFS);
        shard.run([&] { return all_of(std::move(sending)); });
        CHECK(receive_text(shard, server) == "x");
    });
}

TEST_CASE("datagrams that nobody receives are dropped, and the channel goes on", "[datagram]") {
    on_every_network([](auto& shard) {
        auto server = make_bound_datagram_channel(any_port);
        auto client = make_unbound_datagram_channel(AF_INET);
        for (int i = 0; i < 1000; ++i) {
            shard.run([&] { return client.send(server.local_address(), std::string(1000, 'x')); });
        }
        shard.run([] { return sleep(1ms); });
        for (int i = 0; i < 50; ++i) {
            CHECK(receive_text(shard, server).size() == 1000);
        }
    });
}

TEST_CASE("a network that loses datagrams neither fails nor blocks who sends", "[datagram][sim]") {
    test_shard shard(GENERATE(range(1u, 20u)));
    shard.network().options.datagram_loss_percent = 40;
    auto server = make_bound_datagram_channel(any_port);
    auto client = make_unbound_datagram_channel(AF_INET);
    std::size_t arrived_count = 0;
    (void)miniss::repeat([&] {
        return server.receive().then_wrapped([&](future<datagram> received) {
            const bool ended = received.failed();
            received.ignore_ready_future();
            arrived_count += ended ? 0 : 1;
            return ended ? stop_iteration::yes : stop_iteration::no;
        });
    });
    for (int i = 0; i < 200; ++i) {
        shard.run([&] { return client.send(server.local_address(), "x"); });
    }
    shard.run([] { return sleep(1s); });
    CHECK(arrived_count > 50);
    CHECK(arrived_count < 190);
    server.shutdown_input();
    shard.run_until_rest();
}

TEST_CASE("a shard that stops ends what its channels wait for", "[datagram]") {
    for (const backend_kind kind : backends_to_test()) {
        real_shard shard(kind);
        auto channel = make_bound_datagram_channel(any_port);
        auto waiting = errno_of(channel.receive());
        shard.run_until([turns = 0]() mutable { return ++turns == 5; });
        shard.stop();
        REQUIRE(waiting.available());
        CHECK(waiting.get() == ECANCELED);
    }
}

TEST_CASE("over Unix sockets: truncation is told, and a dead peer refuses", "[datagram]") {
    on_real_networks([](auto& shard) {
        const scratch_directory directory;
        const auto address = socket_address::parse("unix:" + directory.path("s"));
        auto server = make_bound_datagram_channel(address);
        auto client = make_unbound_datagram_channel(AF_UNIX);
        shard.run([&] { return client.send(address, std::string(70'000, 'x')); });
        auto received = shard.run([&] { return server.receive(); });
        CHECK(received.truncated());
        CHECK(received.get_data().size() == 64 * 1024);
        CHECK(received.get_src().family() == AF_UNSPEC);
        server = {};
        shard.run_until_idle();
        CHECK(shard.run([&] { return errno_of(client.send(address, "x")); }) == ECONNREFUSED);
        server = make_bound_datagram_channel(address);  // The file that was left is replaced.
        shard.run([&] { return client.send(address, "x"); });
        CHECK(receive_text(shard, server) == "x");
    });
}

TEST_CASE("a send to a full Unix socket waits until somebody receives", "[datagram]") {
    on_real_networks([](auto& shard) {
        const scratch_directory directory;
        const auto address = socket_address::parse("unix:" + directory.path("s"));
        auto server = make_bound_datagram_channel(address);
        auto client = shard.run([&] { return make_connected_datagram_channel(address); });
        std::vector<future<>> sending;
        for (int i = 0; i < 1000; ++i) {  // The kernel's queue (max_dgram_qlen) is shorter.
            sending.push_back(client.send(std::to_string(i)));
        }
        shard.run_until([turns = 0]() mutable { return ++turns == 20; });
        CHECK(!sending.back().available());
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(receive_text(shard, server) == std::to_string(i));
        }
        shard.run([&] { return all_of(std::move(sending)); });
    });
}

TEST_CASE("without descriptors there is no channel", "[datagram]") {
    on_real_networks([](auto& shard) {
        const no_more_descriptors none;
        CHECK(errno_thrown_by([] { make_unbound_datagram_channel(AF_INET); }) == EMFILE);
        CHECK(shard.run([] { return errno_of(make_connected_datagram_channel(any_port)); }) ==
              EMFILE);
    });
}
