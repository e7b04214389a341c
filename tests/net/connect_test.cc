// Tests of connect() with its options, and of connections that move to another shard.
#include <miniss/net/socket.hh>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include <miniss/core/when_all.hh>
#include <miniss/net/listener.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/raw_peer.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/smp/sim_shards.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

const socket_address any_port = socket_address::parse("127.0.0.1:0");

}  // namespace

TEST_CASE("connect() gives up at its timeout, not before", "[connect]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    shard.network().options.latency_max = 10s;
    // Nobody accepts, and the backlog takes only one.
    auto listener = listen(any_port, {.backlog = 1});
    const auto to = listener.local_address();
    auto first = shard.run([&] { return connect(to); });
    const auto begin = shard.now();
    CHECK(shard.run([&] { return errno_of(connect(to, {.timeout = 3s})); }) == ETIMEDOUT);
    CHECK(shard.now() - begin >= 3s);
    CHECK(shard.now() - begin < 4s);
    first = {};
    listener.abort_accept();
    shard.run_until_rest();
}

TEST_CASE("a connect() that succeeds in time stays connected", "[connect]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    auto listener = listen(any_port);
    auto [client, served] = shard.run([&] {
        return when_all_succeed(connect(listener.local_address(), {.timeout = 1s}),
                                listener.accept());
    });
    shard.run([] { return sleep(2s); });
    auto out = client.output();
    auto in = served.input();
    shard.run([&] { return out.write("still here").then([&] { return out.flush(); }); });
    CHECK(shard.run([&] { return in.read_exactly(10); }).view() == "still here");
}

TEST_CASE("a connect() to a full backlog of the kernel times out, and leaks nothing", "[connect]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const auto before = descriptor_count();
    raw_peer listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.fd(), any_port.data(), any_port.size()) == 0);
    REQUIRE(::listen(listener.fd(), 0) == 0);
    sockaddr_storage storage{};
    socklen_t size_bytes = sizeof storage;
    auto* plain = reinterpret_cast<sockaddr*>(&storage);
    REQUIRE(::getsockname(listener.fd(), plain, &size_bytes) == 0);
    const socket_address to(plain, size_bytes);
    {
        std::vector<connected_socket> in_backlog;
        int error = 0;
        while (error == 0 && in_backlog.size() < 10) {
            error = shard.run([&] {
                return errno_of(connect(to, {.timeout = 20ms}).then([&](connected_socket&& next) {
                    in_backlog.push_back(std::move(next));
                }));
            });
        }
        CHECK(error == ETIMEDOUT);
    }
    shard.run_until_idle();
    CHECK(descriptor_count() == before + 1);
}

TEST_CASE("connect() comes from the local address that it was given", "[connect]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto listener = listen(any_port);
    const auto to = listener.local_address();
    const auto from = socket_address::parse("127.0.0.2:0");
    auto [client, served] = shard.run(
        [&] { return when_all_succeed(connect(to, {.local = from}), listener.accept()); });
    CHECK(served.remote_address().to_string().starts_with("127.0.0.2:"));
    CHECK(client.local_address().to_string() == served.remote_address().to_string());
    const auto before = descriptor_count();
    const auto taken = client.local_address();
    CHECK(shard.run([&] { return errno_of(connect(to, {.local = taken})); }) == EADDRINUSE);
    const auto foreign = socket_address::parse("192.0.2.1:0");
    CHECK(shard.run([&] { return errno_of(connect(to, {.local = foreign})); }) == EADDRNOTAVAIL);
    CHECK(descriptor_count() == before);
}

TEST_CASE("the options of a connection reach the kernel", "[connect]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    raw_peer listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int fd = ::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0);
    const auto option = [&listener](int level, int name) {
        int value = -1;
        socklen_t value_bytes = sizeof value;
        REQUIRE(::getsockopt(listener.fd(), level, name, &value, &value_bytes) == 0);
        return value;
    };
    auto socket = adopt_connection(fd);
    socket.set_nodelay(true);
    socket.set_keepalive(true);
    socket.set_keepalive_parameters({.idle = 100s, .interval = 7s, .count = 3});
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) != 0);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) != 0);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 100);
    CHECK(option(IPPROTO_TCP, TCP_KEEPINTVL) == 7);
    CHECK(option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
    socket.set_keepalive_parameters({.idle = 0s, .interval = 100'000s, .count = 0});
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 100);  // The kernel has refused.
    socket.set_nodelay(false);
    socket.set_keepalive(false);
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 0);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 0);
}

TEST_CASE("a connection that one shard has accepted is served by another", "[connect]") {
    sim_shards shards(2, GENERATE(range(0u, 20u)));
    auto listener = shards.on(0, [] { return listen(any_port); });
    std::string answer;
    auto client = shards.run_on(0, [&] { return connect(listener.local_address()); });
    const int fd = shards.run_on(0, [&] {
        return listener.accept().then([](connected_socket&& peer) { return peer.release(); });
    });
    auto served = shards.on(1, [&] { return adopt_connection(fd); });
    auto in = shards.on(1, [&] { return served.input(); });
    auto out = shards.on(0, [&] { return client.output(); });
    shards.run_on(0, [&] { return out.write("moved").then([&] { return out.flush(); }); });
    CHECK(shards.run_on(1, [&] { return in.read_exactly(5); }).view() == "moved");
    shards.on(1, [&] {
        in = {};
        served = {};
    });
    shards.on(0, [&] {
        out = {};
        client = {};
        listener.abort_accept();
        listener = {};
    });
    shards.run_until_rest();
    CHECK(shards.world().network().descriptor_count() == 0);
}
