// Tests of a server as a whole: how many it serves, and how it stops.
#include <miniss/net/http/server.hh>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/http/http_world.hh>

using namespace miniss;
using namespace miniss::http;
using namespace std::chrono_literals;

namespace {

server_options patient() {
    server_options options;
    options.drain_time = 20ms;
    options.linger_time = 100ms;
    return options;
}

template <typename World>
bool refuses_connections(World& world) {
    return world.shard.run([&] { return errno_of(connect(world.address)); }) == ECONNREFUSED;
}

}  // namespace

TEMPLATE_TEST_CASE("a full server lets the next one wait, and serves him when there is room",
                   "[server]", test_shard, real_shard) {
    server_options options;
    options.connection_count_max = 2;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    auto first = world.client();
    auto second = world.client();
    CHECK(first.get("/").code == 200);
    CHECK(second.get("/").code == 200);
    auto third = world.client();
    auto fourth = world.client();
    third.send_get("/");
    fourth.send_get("/");
    world.shard.run([] { return sleep(5ms); });
    CHECK(world.served->connection_count() == 2);
    CHECK(first.get("/").code == 200);
    first.close();
    CHECK(third.reply().content == "hello");
    CHECK(world.served->connection_count() == 2);
    second.close();
    CHECK(fourth.reply().content == "hello");
}

TEST_CASE("without a descriptor the server goes on with those it serves, then takes the others",
          "[server][sim]") {
    http_world<test_shard> world(GENERATE(range(0u, 40u)));
    auto& network = world.shard.network();
    auto served = world.client();
    CHECK(served.get("/").code == 200);
    std::vector<http_client<test_shard>> waiting;
    // One for each client, and none for the server's side of it.
    network.options.descriptor_count_max = network.descriptor_count() + 1;
    waiting.push_back(world.client());
    network.options.descriptor_count_max = network.descriptor_count();
    for (int i = 0; i < 10; ++i) {
        CHECK(served.get("/").code == 200);
        world.shard.run([] { return sleep(100ms); });
    }
    for (auto& each : waiting) {
        each.send_get("/");
    }
    network.options.descriptor_count_max = 1000;
    for (auto& each : waiting) {
        CHECK(each.reply().code == 200);
    }
}

TEST_CASE("replies leave at once, for those who came early as for the others", "[server]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const routes table;
    server served(table, {});
    const bool is_early = GENERATE(false, true);
    auto listener = listen(socket_address::parse("127.0.0.1:0"), {.nodelay = is_early});
    const auto address = listener.local_address();
    std::optional<http_client<real_shard>> client;
    if (is_early) {
        client.emplace(shard, address);
    }
    int nodelay = 0;
    served.start(std::move(listener), [&nodelay](connected_socket&& peer) {
        const int fd = peer.release();
        socklen_t value_bytes = sizeof nodelay;
        CHECK(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &value_bytes) == 0);
        return adopt_connection(fd).stream();
    });
    if (!is_early) {
        client.emplace(shard, address);
    }
    CHECK(client->get("/").code == 404);
    CHECK(nodelay != 0);
    client->close();
    shard.run([&] { return served.stop(steady_clock::now()); });
}

TEMPLATE_TEST_CASE("stop() of a server that serves nobody is ready soon", "[server]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), patient());
    world.shard.run([] { return sleep(1ms); });
    const auto start = world.now();
    world.begin_stop(60s);
    world.finish_stop();
    CHECK(world.now() - start < 10s);
    CHECK(refuses_connections(world));
}

TEMPLATE_TEST_CASE("stop() closes connections that are idle, in a moment", "[server]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), patient());
    auto used = world.client();
    auto unused = world.client();
    CHECK(used.get("/").code == 200);
    world.run_until_connected(2);
    const auto start = world.now();
    world.begin_stop(60s);
    CHECK(used.ended());
    CHECK(unused.ended());
    CHECK(world.now() - start >= 20ms);  // A request might have been on its way.
    used.close();
    unused.close();
    world.finish_stop();
    CHECK(world.now() - start < 10s);
    CHECK(refuses_connections(world));
}

TEMPLATE_TEST_CASE("a request in flight at a stop is finished, and says that it is the last one",
                   "[server]", test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), patient());
    auto answering = world.client();
    auto sending_content = world.client();
    auto sending_head = world.client();
    answering.send_get("/wait");
    world.run_until_pending(1);
    sending_content.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
    sending_head.send("GET / HTTP/1.1\r\nHo");
    world.run_until_connected(3);
    world.shard.run([] { return sleep(2ms); });
    world.begin_stop(60s);
    world.shard.run([] { return sleep(100ms); });
    CHECK_FALSE(world.stopped->available());

    world.answer_all();
    sending_content.send("bc");
    sending_head.send("st: h\r\n\r\n");
    const auto late = answering.reply();
    CHECK(late.content == "at last");
    CHECK(late.closes());
    const auto echo = sending_content.reply();
    CHECK(echo.content == "abc");
    CHECK(echo.closes());
    const auto hello = sending_head.reply();
    CHECK(hello.content == "hello");
    CHECK(hello.closes());
    for (auto* each : {&answering, &sending_content, &sending_head}) {
        CHECK(each->ended());
        each->close();
    }
    world.finish_stop();
}

TEMPLATE_TEST_CASE("who asks right before or at a stop is answered", "[server]", test_shard,
                   real_shard) {
    auto options = patient();
    if constexpr (std::is_same_v<TestType, real_shard>) {
        options.drain_time = 1s;  // Requests on a busy machine can be on their way for long.
    }
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    if constexpr (std::is_same_v<TestType, test_shard>) {
        // Who hears from the listener before that hears from him is lost when it closes.
        world.shard.network().options.latency_max = 0ns;
    }
    std::vector<http_client<TestType>> idle;
    std::vector<http_client<TestType>> waiting;
    for (int i = 0; i < 20; ++i) {
        idle.push_back(world.client());
        CHECK(idle.back().get("/").code == 200);
    }
    // The server gets to know neither of these connections nor of these requests before stop().
    for (int i = 0; i < 100; ++i) {
        waiting.push_back(world.client());
    }
    std::vector<future<>> sending;
    for (auto* group : {&idle, &waiting}) {
        for (auto& each : *group) {
            sending.push_back(each.output().write("GET / HTTP/1.1\r\nHost: h\r\n\r\n").then([&] {
                return each.output().flush();
            }));
        }
    }
    world.begin_stop(60s);
    for (auto& each : sending) {
        world.shard.run([&] { return std::move(each); });
    }
    for (auto* group : {&idle, &waiting}) {
        for (auto& each : *group) {
            CHECK(each.reply().content == "hello");
            CHECK(each.ended());
            each.close();
        }
    }
    world.finish_stop();
}

TEST_CASE("who goes on asking during a stop is served for a moment, then told to go",
          "[server][sim]") {
    http_world<test_shard> world(GENERATE(range(0u, 20u)), patient());
    auto client = world.client();
    CHECK(client.get("/").code == 200);
    world.begin_stop(60s);
    const auto start = world.now();
    int reply_count = 1;
    while (!client.get("/").closes()) {
        ++reply_count;
        world.shard.run([] { return sleep(1ms); });
    }
    CHECK(reply_count > 1);
    CHECK(world.now() - start >= 20ms);
    CHECK(world.now() - start <= 25ms);
    CHECK(client.ended());
    client.close();
    world.finish_stop();
}

TEMPLATE_TEST_CASE("at its deadline stop() cuts off what is not finished", "[server]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), patient());
    auto sending_head = world.client();
    auto sending_content = world.client();
    auto not_reading = world.client();
    sending_head.send("GET / HTTP/1.1\r\nHo");
    sending_content.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
    not_reading.send_get("/large?" + std::to_string(too_much_bytes<TestType>));
    world.run_until_connected(3);
    const auto start = world.now();
    world.begin_stop(300ms);
    world.finish_stop();
    const auto taken = world.now() - start;
    CHECK(taken >= 300ms);
    CHECK(taken < 10s);
    CHECK(sending_head.ended());
    CHECK(sending_content.ended());
}

TEMPLATE_TEST_CASE("at its deadline stop() forgets those who wait for room", "[server]", test_shard,
                   real_shard) {
    auto options = patient();
    options.connection_count_max = 1;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    std::vector<http_client<TestType>> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(world.client());
        clients.back().send("GET / HTTP/1.1\r\nHo");
    }
    world.run_until_connected(1);
    const auto start = world.now();
    world.begin_stop(50ms);
    world.finish_stop();
    const auto taken = world.now() - start;
    CHECK(taken >= 50ms);
    CHECK(taken < 10s);
}

TEMPLATE_TEST_CASE("stop() waits for a handler, whose reply nobody gets after the deadline",
                   "[server]", test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), patient());
    auto client = world.client();
    client.send_get("/wait");
    world.run_until_pending(1);
    world.begin_stop(10ms);
    world.shard.run([] { return sleep(50ms); });
    CHECK_FALSE(world.stopped->available());
    CHECK(client.ended());
    world.answer_all();
    world.finish_stop();
}

TEMPLATE_TEST_CASE("a server that was never started can be stopped", "[server]", test_shard,
                   real_shard) {
    TestType shard(places<TestType>().front());
    const routes table;
    server never_started(table, {});
    shard.run([&] { return never_started.stop(local_timers().now<steady_clock>() + 10ms); });
}
