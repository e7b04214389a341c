// Tests of a server whose clients behave badly, over real sockets.
#include <miniss/net/http/server.hh>

#include <miniss/tests/net/counting_backend.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/http/http_world.hh>
#include <miniss/tests/net/raw_peer.hh>
#include <miniss/tests/net/scratch_directory.hh>

using namespace miniss;
using namespace miniss::http;
using namespace std::chrono_literals;

namespace {

using world_type = http_world<real_shard>;

const std::string simple_get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

std::string take_replies(world_type& world, raw_peer& peer, std::size_t count) {
    std::string replies;
    world.shard.run_until([&] {
        replies = peer.received();
        std::string rest = replies;
        std::size_t found = 0;
        while (found < count && take_reply(rest).code != 0) {
            ++found;
        }
        return found == count;
    });
    return replies;
}

received_reply ask(world_type& world, raw_peer& peer, std::string_view bytes) {
    peer.send(bytes);
    auto replies = take_replies(world, peer, 1);
    return take_reply(replies);
}

// Somebody else is served all the while.
void check_serves(world_type& world) {
    auto peer = raw_peer::connect_to(world.address);
    REQUIRE(peer.error() == 0);
    CHECK(ask(world, peer, simple_get).content == "hello");
}

}  // namespace

TEST_CASE("what is no request is refused with its status, and the connection ends",
          "[server][abuse]") {
    server_options options;
    options.bounds.request_line_bytes = 100;
    options.bounds.header_bytes = 1000;
    options.bounds.body_bytes = 100;
    world_type world(GENERATE(from_range(backends_to_test())), options);
    const auto [bytes, code] = GENERATE(table<std::string, unsigned>({
        {"\x16\x03\x01\x02\x00\x01\xfc\x03\x03", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 413},
        {"GET /" + std::string(100, 'x'), 414},
        {"GET / HTTP/1.1\r\nX: " + std::string(1000, 'x'), 431},
        {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    }));
    CAPTURE(bytes);
    auto peer = raw_peer::connect_to(world.address);
    const bool behind_another = GENERATE(false, true);
    peer.send(behind_another ? simple_get + bytes : bytes);
    world.shard.run_until([&] { return peer.gone(); });
    CHECK(peer.error() == 0);
    auto replies = peer.received();
    if (behind_another) {
        CHECK(take_reply(replies).content == "hello");
    }
    const auto refused = take_reply(replies);
    CHECK(refused.code == code);
    CHECK(refused.closes());
    CHECK(replies.empty());
    peer.close();
    world.run_until_connected(0);
}

TEST_CASE("who is refused can read why, although he is still sending", "[server][abuse]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    auto peer = raw_peer::connect_to(world.address);
    std::size_t sent_bytes = 0;
    const std::string body(1'000'000, 'x');
    peer.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
    world.shard.run_until([&] {
        sent_bytes += peer.try_send(std::string_view(body).substr(sent_bytes));
        return sent_bytes == body.size();
    });
    world.shard.run_until([&] { return peer.ended(); });
    auto replies = peer.received();
    CHECK(take_reply(replies).code == 413);
    CHECK(peer.error() == 0);
}

TEST_CASE("replies to requests that came together leave with one send", "[server][abuse]") {
    std::size_t send_count = 0;
    const auto kind = GENERATE(from_range(backends_to_test()));
    world_type world(std::make_unique<counting_backend>(kind, send_count));
    auto peer = raw_peer::connect_to(world.address);
    std::string requests;
    for (int i = 0; i < 16; ++i) {
        requests += simple_get;
    }
    peer.send(requests);
    auto replies = take_replies(world, peer, 16);
    for (int i = 0; i < 16; ++i) {
        CHECK(take_reply(replies).content == "hello");
    }
    CHECK(send_count == 1);
    // A large content leaves together with its head.
    peer.send("GET /large?20000 HTTP/1.1\r\nHost: h\r\n\r\n");
    take_replies(world, peer, 17);
    CHECK(send_count == 2);
}

TEST_CASE("a client that sends a byte at a time is served like any other", "[server][abuse]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    auto peer = raw_peer::connect_to(world.address);
    const std::string requests =
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n" +
        simple_get;
    for (const char each : requests) {
        peer.send({&each, 1});
        world.shard.run_until([turns = 0]() mutable { return ++turns == 4; });
    }
    auto replies = take_replies(world, peer, 2);
    CHECK(take_reply(replies).content == "abc");
    CHECK(take_reply(replies).content == "hello");
}

TEST_CASE("clients that reset, at whatever moment, leave nothing behind", "[server][abuse]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    const auto before = descriptor_count();
    const auto words = GENERATE(as<std::string>(), "", "GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                                "GET /large?3000000 HTTP/1.1\r\nHost: h\r\n\r\n",
                                "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n",
                                "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    CAPTURE(words);
    for (int turns : {0, 1, 2, 3, 5, 10}) {
        std::vector<raw_peer> peers;
        for (int i = 0; i < 20; ++i) {
            peers.push_back(raw_peer::connect_to(world.address));
            peers.back().send(words);
        }
        world.shard.run_until([&turns] { return --turns < 0; });
        for (auto& each : peers) {
            each.reset();
        }
        check_serves(world);
        world.answer_all();
    }
    world.shard.run_until([&] {
        world.answer_all();
        return world.served->connection_count() == 0 && descriptor_count() == before;
    });
}

TEST_CASE("a peer that never reads is closed in the end, and others are served meanwhile",
          "[server][abuse]") {
    server_options options;
    options.send_time = 50ms;
    world_type world(GENERATE(from_range(backends_to_test())), options);
    auto peer = raw_peer::connect_to(world.address, 1);
    peer.send("GET /large?20000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    world.run_until_connected(1);
    check_serves(world);
    world.run_until_connected(0);
}

TEST_CASE("the same over a Unix socket", "[server][abuse]") {
    server_options options;
    options.send_time = 50ms;
    options.drain_time = 10ms;
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    const auto address = socket_address::parse("unix:" + scratch.path("socket"));
    routes table;
    table.add({method::get}, "/", [](const request&) {
        return make_ready_future<reply>(
            reply(status::ok, "text/plain", std::string(5'000'000, 'x')));
    });
    server served(table, options);
    served.start(listen(address));
    auto peer = raw_peer::connect_to(address);
    peer.send(simple_get);
    shard.run_until([&] { return served.connection_count() == 1; });
    shard.run_until([&] { return served.connection_count() == 0; });
    shard.run([&] { return served.stop(steady_clock::now() + 1s); });
}

TEST_CASE("many connections at once, and many one after the other, leave no descriptor",
          "[server][abuse]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    const auto before = descriptor_count();
    constexpr std::size_t count = 400;  // Both ends are ours, and the usual limit is 1024.
    for (int round = 0; round < 3; ++round) {
        std::vector<raw_peer> peers;
        for (std::size_t i = 0; i < count; ++i) {
            peers.push_back(raw_peer::connect_to(world.address));
            REQUIRE(peers.back().error() == 0);
        }
        world.run_until_connected(count);
        for (auto& each : peers) {
            each.send(simple_get);
        }
        for (auto& each : peers) {
            take_replies(world, each, 1);
        }
    }
    for (int i = 0; i < 1000; ++i) {
        auto peer = raw_peer::connect_to(world.address);
        CHECK(ask(world, peer, simple_get).code == 200);
    }
    world.run_until_connected(0);
    world.shard.run_until([&] { return descriptor_count() == before; });
}
