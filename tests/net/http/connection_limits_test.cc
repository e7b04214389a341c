// Tests of how long a connection is patient, to the moment, in simulated time.
#include <miniss/net/http/connection.hh>

#include <cerrno>

#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/http/http_world.hh>

using namespace miniss;
using namespace miniss::http;
using namespace std::chrono_literals;

namespace {

// What the network may take to bring bytes, and the news of an end, to the other side and back.
constexpr auto tolerance = 10ms;

server_options impatient() {
    server_options options;
    options.head_time = 1000ms;
    options.content_gap_time = 2000ms;
    options.idle_time = 5000ms;
    options.send_time = 7000ms;
    options.linger_time = 500ms;
    return options;
}

using world_type = http_world<test_shard>;
using client_type = http_client<test_shard>;

void pass_time(world_type& world, std::chrono::milliseconds duration) {
    world.shard.run([duration] { return sleep(duration); });
}

// Checks that what func() waits for comes after `expected`, and hardly later.
template <typename Func>
auto check_takes(std::chrono::milliseconds expected, Func func) {
    const auto start = world_type::now();
    auto result = func();
    const auto taken = world_type::now() - start;
    CHECK(taken >= expected - tolerance);
    CHECK(taken <= expected + tolerance);
    return result;
}

// Sends a byte of a target again and again. Lifetime: keep both until the future is ready.
template <typename Done>
future<> send_bytes_until(client_type& client, std::chrono::milliseconds pause, Done done) {
    return do_until(std::move(done), [&client, pause] {
        return sleep(pause).then([&client] {
            return errno_of(client.output().write("x").then(
                                [&client] { return client.output().flush(); }))
                .discard_result();
        });
    });
}

// Sends `first` and then a byte after every pause until the server has had enough. Returns what
// that said, up to the end.
std::string trickle(world_type& world, client_type& client, std::string_view first,
                    std::chrono::milliseconds pause) {
    client.send(first);
    auto answer = read_to_end(client.input());
    world.shard.run(
        [&] { return send_bytes_until(client, pause, [&answer] { return answer.available(); }); });
    return answer.get();
}

// Lets time go on while the shard is at work, as it does in reality: elsewhere in a simulation
// it stands still until all is done. So a deadline can pass between the arrival of bytes and the
// moment at which somebody looks at them.
template <typename Done>
bool run_busily(world_type& world, Done done) {
    while (!done()) {
        world.shard.world().clock().advance_to(world.shard.now() + 100us);
        world.shard.run_one_turn();
    }
    return true;
}

void check_timed_out(client_type& client, const received_reply& reply) {
    CHECK(reply.code == 408);
    CHECK(reply.closes());
    CHECK(client.ended());
}

}  // namespace

TEST_CASE("the time for a head runs from its first byte, whatever trickles in",
          "[connection][sim]") {
    world_type world(GENERATE(range(0u, 30u)), impatient());
    auto client = world.client();
    pass_time(world, 3000ms);  // Not yet.
    const auto answer = check_takes(1000ms, [&] { return trickle(world, client, "GET /", 5ms); });
    CHECK(answer.starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a HEAD that takes too long is refused without a body", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 5u)), impatient());
    auto client = world.client();
    client.send("HEAD / HTTP/1.1\r\nHost:");
    const auto answer = client.rest();
    CHECK(answer.starts_with("HTTP/1.1 408 "));
    CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("bytes that come at the very moment of a deadline do not move it", "[connection][sim]") {
    auto options = impatient();
    options.head_time = 100ms;
    options.linger_time = 100ms;
    world_type world(GENERATE(range(1u, 60u)), options);
    world.shard.network().options.latency_max = 0ns;
    auto client = world.client();
    client.send("GET /");
    auto answer = read_to_end(client.input());
    auto sending =
        send_bytes_until(client, 0ms, [&world] { return world.served->connection_count() == 0; });
    check_takes(100ms, [&] { return run_busily(world, [&] { return answer.available(); }); });
    CHECK(answer.get().starts_with("HTTP/1.1 408 "));
    check_takes(100ms, [&] { return run_busily(world, [&] { return sending.available(); }); });
    sending.get();
}

TEST_CASE("every head has its own time", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    for (int i = 0; i < 5; ++i) {
        client.send("GET / HTTP/1.1\r\n");
        pass_time(world, 900ms);
        client.send("Host: h\r\n\r\nGET / HTTP/1.1\r\nHost:");
        CHECK(client.reply().code == 200);
        pass_time(world, 900ms);
        client.send(" h\r\n\r\n");
        CHECK(client.reply().code == 200);
    }
    client.send("GET");
    check_timed_out(client, check_takes(1000ms, [&] { return client.reply(); }));
}

TEST_CASE("content may come slowly, but not with too long a gap", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    const bool chunked = GENERATE(false, true);
    client.send(chunked ? "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                        : "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
    for (int i = 0; i < 5; ++i) {
        pass_time(world, 1900ms);
        client.send(chunked ? "1\r\nx\r\n" : "x");
    }
    check_timed_out(client, check_takes(2000ms, [&] { return client.reply(); }));
}

TEST_CASE("who waits for a 100 and then sends nothing is timed out too", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                "Content-Length: 10\r\n\r\n");
    CHECK(client.reply().code == 100);
    check_timed_out(client, check_takes(2000ms, [&] { return client.reply(); }));
}

TEST_CASE("a connection without any request is closed without a word", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    CHECK(check_takes(5000ms, [&] { return client.ended(); }));
}

TEST_CASE("idle time runs from the last reply", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    for (int i = 0; i < 5; ++i) {
        pass_time(world, 4900ms);
        CHECK(client.get("/").code == 200);
    }
    client.send("\r\n");  // No request begins with that.
    CHECK(check_takes(5000ms, [&] { return client.ended(); }));
}

TEST_CASE("a handler may take its time", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.reply().content == "hello");  // Which does not wait for the second.
    world.run_until_pending(1);
    pass_time(world, 100'000ms);
    world.answer_all();
    CHECK(client.reply().content == "at last");
    CHECK(check_takes(5000ms, [&] { return client.ended(); }));
}

TEST_CASE("a peer that does not read its reply is closed in the end", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    client.send_get("/large?1000000");
    world.run_until_connected(1);
    check_takes(7000ms, [&] {
        world.run_until_connected(0);
        return true;
    });
}

TEST_CASE("so is one whose content was left unread", "[connection][sim]") {
    // The end of a content that is malformed, or too long, cannot be passed over.
    const std::string content =
        GENERATE("Transfer-Encoding: chunked\r\n\r\nx\r\n", "Content-Length: 1000000\r\n\r\n");
    world_type world(GENERATE(range(0u, 5u)), impatient());
    auto client = world.client();
    client.send("POST /unread-large HTTP/1.1\r\nHost: h\r\n" + content);
    world.run_until_connected(1);
    check_takes(7000ms, [&] {
        world.run_until_connected(0);
        return true;
    });
}

TEST_CASE("after its last reply a connection waits a while for the peer to close",
          "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    client.send_get("/close");
    CHECK(client.reply().code == 200);
    check_takes(500ms, [&] {
        world.run_until_connected(0);
        return true;
    });
}

TEST_CASE("after its last reply a connection does not wait for a peer that has closed",
          "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    client.send_get("/close");
    CHECK(client.reply().code == 200);
    check_takes(0ms, [&] {
        client.close();
        world.run_until_connected(0);
        return true;
    });
}

TEST_CASE("after its last reply a connection swallows only so much", "[connection][sim]") {
    world_type world(GENERATE(range(0u, 10u)), impatient());
    auto client = world.client();
    client.send_get("/close");
    CHECK(client.reply().code == 200);
    check_takes(0ms, [&] {
        auto sending = write_all(client.output(), std::string(3'000'000, 'x'), 100'000);
        const auto error = world.shard.run([&] { return errno_of(std::move(sending)); });
        CHECK((error == EPIPE || error == ECONNRESET));
        world.run_until_connected(0);
        return true;
    });
}
