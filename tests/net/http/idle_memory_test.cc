// What a connection costs in memory while nothing happens on it.
#include <miniss/net/http/server.hh>

#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/net/http/http_world.hh>
#include <miniss/tests/net/raw_peer.hh>

using namespace miniss;
using namespace miniss::http;

namespace {

constexpr std::size_t peer_count = 300;  // Both ends are ours, and the usual limit is 1024.
constexpr long idle_bytes_max = 1024;

using world_type = http_world<real_shard>;

void run_some_turns(world_type& world) {
    world.shard.run([] { return sleep(std::chrono::milliseconds(5)); });
}

void check_cost(long before) {
    const long each = (live_allocated_bytes() - before) / static_cast<long>(peer_count);
    CAPTURE(each);
    CHECK(each > 100);  // It is counted at all.
    CHECK(each <= idle_bytes_max);
}

void ask_all(world_type& world, std::vector<raw_peer>& peers, const std::string& asked) {
    for (auto& peer : peers) {
        const std::size_t had_bytes = peer.received().size();
        peer.send(asked);
        world.shard.run_until([&] { return peer.received().size() > had_bytes; });
    }
    for (auto& peer : peers) {
        peer.forget_received();
    }
    run_some_turns(world);
}

}  // namespace

TEST_CASE("an idle connection takes at most 1 KiB, before its first request and after any",
          "[connection][memory]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    std::vector<raw_peer> peers;
    peers.reserve(peer_count);
    {
        auto first = raw_peer::connect_to(world.address);  // For what is made only once.
        world.run_until_connected(1);
    }
    world.run_until_connected(0);
    run_some_turns(world);
    const long before = live_allocated_bytes();
    for (std::size_t i = 0; i < peer_count; ++i) {
        peers.push_back(raw_peer::connect_to(world.address));
    }
    world.run_until_connected(peer_count);
    run_some_turns(world);
    check_cost(before);
    ask_all(world, peers, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    check_cost(before);
    ask_all(world, peers,
            "POST /echo HTTP/1.1\r\nHost: h\r\nX: " + std::string(3000, 'x') +
                "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n");
    check_cost(before);
    ask_all(world, peers, "POST /through HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    check_cost(before);
}
