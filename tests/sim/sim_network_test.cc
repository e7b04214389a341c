// The simulated network: what it may do to bytes and connections, and what it never does.
#include <miniss/tests/sim/sim_network.hh>

#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/sim/sim_world.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// A network with nobody in it but the test.
struct quiet_network {
    sim::sim_clock clock;
    sim::sim_random random;
    sim::sim_network network{clock, random};

    explicit quiet_network(std::uint64_t seed = 0) : random(seed) {}

    void pass(std::chrono::nanoseconds time) { clock.advance_to(clock.now() + time); }

    // Sends all, however long that takes.
    void send(int fd, const std::string& bytes) {
        for (std::size_t sent = 0; sent < bytes.size(); pass(10us)) {
            const auto taken = network.try_send(fd, bytes.data() + sent, bytes.size() - sent);
            REQUIRE(taken.value_or(0) >= 0);
            sent += static_cast<std::size_t>(taken.value_or(0));
        }
    }

    // All pieces until an end or error, or until nothing comes for a second.
    std::vector<std::string> receive(int fd, int* end = nullptr) {
        std::vector<std::string> pieces;
        for (int patience = 0; patience < 1000; ++patience) {
            auto result = network.try_receive(fd);
            if (!result) {
                pass(1ms);
            } else if (result->more) {
                pieces.emplace_back(result->data.view());
            } else {
                if (end != nullptr) {
                    *end = result->value;
                }
                break;
            }
        }
        return pieces;
    }

    std::string receive_all(int fd, int* end = nullptr) {
        std::string all;
        for (const auto& piece : receive(fd, end)) {
            all += piece;
        }
        return all;
    }
};

template <typename Address>
const sockaddr* untyped(const Address& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

sockaddr_in ipv4(std::uint32_t host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return address;
}

}  // namespace

TEST_CASE("bytes arrive in order, all of them, in pieces that the seed draws", "[sim]") {
    std::set<std::size_t> piece_counts;
    const std::string sent = [] {
        std::string text;
        for (int i = 0; i < 5000; ++i) {
            text += std::to_string(i);
        }
        return text;
    }();
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        quiet_network world(seed);
        const auto [a, b] = world.network.connected_pair();
        world.send(a, sent);
        world.network.close(a);
        int end = -1;
        std::string received;
        std::size_t piece_count = 0;
        for (const auto& piece : world.receive(b, &end)) {
            CHECK(!piece.empty());
            CHECK(piece.size() <= world.network.options.receive_bytes_max);
            received += piece;
            ++piece_count;
        }
        CHECK(received == sent);
        CHECK(end == 0);
        piece_counts.insert(piece_count);
    }
    CHECK(piece_counts.size() > 10);
}

TEST_CASE("in the plain world bytes arrive at once and whole", "[sim]") {
    quiet_network world(0);
    const auto [a, b] = world.network.connected_pair();
    CHECK(world.network.try_send(a, "hello ", 6) == 6);
    CHECK(world.network.try_send(a, "world", 5) == 5);
    CHECK(world.network.try_receive(b)->data.view() == "hello world");
    CHECK(!world.network.try_receive(b));
}

TEST_CASE("bytes on their way are news for the clock", "[sim]") {
    int late_count = 0;
    for (std::uint64_t seed = 1; seed < 30; ++seed) {
        quiet_network world(seed);
        const auto [a, b] = world.network.connected_pair();
        world.send(a, "x");
        if (!world.network.readable(b)) {
            ++late_count;
            const auto next = world.clock.next_moment();
            CHECK(next <= world.clock.now() + world.network.options.latency_max);
            world.clock.advance_to(next);
            CHECK(world.network.readable(b));
        }
    }
    CHECK(late_count > 5);
}

TEST_CASE("a sender waits for a receiver that is a window behind", "[sim]") {
    quiet_network world(GENERATE(0u, 1u, 2u));
    const auto [a, b] = world.network.connected_pair();
    world.network.options.window_bytes = 1000;
    world.send(a, std::string(1000, 'x'));
    for (int i = 0; i < 100; ++i) {
        CHECK(!world.network.try_send(a, "y", 1));
        world.pass(1ms);
    }
    CHECK(world.receive_all(b).size() == 1000);
    world.send(a, "y");
    CHECK(world.receive_all(b) == "y");
}

TEST_CASE("cut() resets both sides", "[sim]") {
    quiet_network world(GENERATE(0u, 1u, 2u));
    const auto [a, b] = world.network.connected_pair();
    world.send(a, "lost");
    world.network.cut(b);
    int end = 0;
    CHECK(world.receive_all(a, &end).empty());
    CHECK(end == -ECONNRESET);
    end = 0;
    CHECK(world.receive_all(b, &end).empty());
    CHECK(end == -ECONNRESET);
    const int sent = *world.network.try_send(a, "x", 1);
    CHECK((sent == -EPIPE || sent == -ECONNRESET));
}

TEST_CASE("a reset by closing with unread bytes destroys what had arrived, or not", "[sim]") {
    std::set<std::string> received;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        quiet_network world(seed);
        const auto [a, b] = world.network.connected_pair();
        world.send(b, "answer");
        world.send(a, "unread");
        world.pass(1s);
        world.network.close(b);
        world.pass(1s);
        int end = 0;
        received.insert(world.receive_all(a, &end));
        CHECK(end == -ECONNRESET);
    }
    CHECK(received == std::set<std::string>{"", "answer"});
}

TEST_CASE("after both have finished sending, closing is no reset", "[sim]") {
    quiet_network world(GENERATE(range(0u, 20u)));
    const auto [a, b] = world.network.connected_pair();
    world.send(a, "bye");
    CHECK(world.network.shutdown(a, SHUT_WR) == 0);
    int end = -1;
    CHECK(world.receive_all(b, &end) == "bye");
    CHECK(end == 0);
    world.network.close(b);
    end = -1;
    CHECK(world.receive_all(a, &end).empty());
    CHECK(end == 0);
}

TEST_CASE("listeners on 0.0.0.0, [::] and Unix paths are found by who connects", "[sim]") {
    quiet_network world;
    sim::sim_network& network = world.network;
    const auto connects = [&](int family, const sockaddr* address, socklen_t address_bytes) {
        const int client = network.open(family, SOCK_STREAM);
        return network.try_connect(client, address, address_bytes) == 0;
    };
    const auto listen_at = [&](const sockaddr* address, socklen_t address_bytes) {
        const int listener = network.open(address->sa_family, SOCK_STREAM);
        CHECK(network.bind(listener, address, address_bytes) == 0);
        CHECK(network.listen(listener, 10) == 0);
        return listener;
    };
    const auto loopback = ipv4(INADDR_LOOPBACK, 80);
    CHECK(!connects(AF_INET, untyped(loopback), sizeof loopback));
    const auto any = ipv4(INADDR_ANY, 80);
    const int listener = listen_at(untyped(any), sizeof any);
    CHECK(connects(AF_INET, untyped(loopback), sizeof loopback));
    const auto other_port = ipv4(INADDR_LOOPBACK, 81);
    CHECK(!connects(AF_INET, untyped(other_port), sizeof other_port));
    // Taken by the other, although it is more than that.
    const int late = network.open(AF_INET, SOCK_STREAM);
    CHECK(network.bind(late, untyped(loopback), sizeof loopback) == -EADDRINUSE);
    network.close(listener);
    CHECK(network.bind(late, untyped(loopback), sizeof loopback) == 0);

    sockaddr_in6 any6{};
    any6.sin6_family = AF_INET6;
    any6.sin6_port = htons(80);
    auto loopback6 = any6;
    loopback6.sin6_addr = in6addr_loopback;
    listen_at(untyped(any6), sizeof any6);
    CHECK(connects(AF_INET6, untyped(loopback6), sizeof loopback6));

    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strcpy(path.sun_path, "/run/miniss");
    CHECK(!connects(AF_UNIX, untyped(path), sizeof path));
    listen_at(untyped(path), sizeof path);
    CHECK(connects(AF_UNIX, untyped(path), sizeof path));
}

TEST_CASE("connections spread over listeners that share an address", "[sim]") {
    quiet_network world(1);
    sim::sim_network& network = world.network;
    const auto address = ipv4(INADDR_LOOPBACK, 80);
    std::vector<int> listeners;
    for (int i = 0; i < 2; ++i) {
        listeners.push_back(network.open(AF_INET, SOCK_STREAM));
        network.set_option(listeners.back(), SOL_SOCKET, SO_REUSEPORT, 1);
        CHECK(network.option(listeners.back(), SOL_SOCKET, SO_REUSEPORT) == 1);
        CHECK(network.bind(listeners.back(), untyped(address), sizeof address) == 0);
        CHECK(network.listen(listeners.back(), 100) == 0);
    }
    for (int i = 0; i < 40; ++i) {
        const int client = network.open(AF_INET, SOCK_STREAM);
        while (!network.try_connect(client, untyped(address), sizeof address)) {
            world.pass(1ms);
        }
    }
    world.pass(1s);
    for (const int listener : listeners) {
        int count = 0;
        while (network.accept(listener) >= 0) {
            ++count;
        }
        CHECK(count > 5);
    }
}

TEST_CASE("closing a listener resets those it had not accepted", "[sim]") {
    quiet_network world(GENERATE(0u, 1u));
    sim::sim_network& network = world.network;
    const auto address = ipv4(INADDR_LOOPBACK, 80);
    const int listener = network.open(AF_INET, SOCK_STREAM);
    CHECK(network.bind(listener, untyped(address), sizeof address) == 0);
    CHECK(network.listen(listener, 10) == 0);
    const int client = network.open(AF_INET, SOCK_STREAM);
    while (!network.try_connect(client, untyped(address), sizeof address)) {
        world.pass(1ms);
    }
    network.close(listener);
    int end = 0;
    world.receive_all(client, &end);
    CHECK(end == -ECONNRESET);
}

TEST_CASE("descriptors are as few as the network allows, and the lowest is used again", "[sim]") {
    quiet_network world;
    const int first = world.network.open(AF_INET, SOCK_STREAM);
    const int second = world.network.open(AF_INET, SOCK_STREAM);
    CHECK(second == first + 1);
    world.network.options.descriptor_count_max = 2;
    CHECK(world.network.open(AF_INET, SOCK_STREAM) == -EMFILE);
    world.network.close(first);
    CHECK(world.network.open(AF_INET, SOCK_STREAM) == first);
    CHECK(world.network.descriptor_count() == 2);
}

TEST_CASE("using a closed descriptor, or closing one in use, is a bug", "[sim]") {
    CHECK(dies_saying("found != _sockets.end()", [] {
        quiet_network world;
        const int fd = world.network.open(AF_INET, SOCK_STREAM);
        world.network.close(fd);
        world.network.shutdown(fd, SHUT_RDWR);
    }));
    CHECK(dies_saying("operation_count == 0", [] {
        sim::sim_world world(0);
        sim::sim_shard& shard = world.add_shard();
        struct silent final : io_completion {
            void complete(io_result&&) noexcept override {}
        } waiter;
        const auto [a, b] = world.network().connected_pair();
        shard.backend.submit(receive_op{a}, waiter);
        world.network().close(a);
    }));
}
