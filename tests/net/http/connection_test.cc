// Tests of what a connection of the server answers, simulated and over real sockets.
#include <miniss/net/http/connection.hh>

#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/net/http/http_world.hh>

using namespace miniss;
using namespace miniss::http;

TEMPLATE_TEST_CASE("a connection serves one request after the other", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    for (int i = 0; i < 3; ++i) {
        const auto reply = client.get("/");
        CHECK(reply.code == 200);
        CHECK(reply.content == "hello");
        CHECK(reply.has("Content-Type: text/plain"));
        CHECK(reply.has("Server: miniss"));
        CHECK(reply.head.find("\r\nDate: ") != std::string::npos);
        CHECK(reply.head.find("Connection:") == std::string::npos);
        CHECK(client.post("/echo", "abc").content == "abc");
        CHECK(client.get("/nowhere").code == 404);
        CHECK(client.post("/", "abc").has("Allow: GET, HEAD, OPTIONS"));
    }
    CHECK(world.served->connection_count() == 1);
}

TEMPLATE_TEST_CASE("pipelined requests are answered in order", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    std::string requests;
    for (int i = 0; i < 200; ++i) {
        const std::string content = std::to_string(i);
        requests += i % 10 == 9 ? "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"
                                : "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                                      std::to_string(content.size()) + "\r\n\r\n" + content;
    }
    client.send(requests);
    for (int i = 0; i < 200; ++i) {
        if (i % 10 == 9) {
            world.run_until_pending(1);
            world.answer_all();
        }
        CHECK(client.reply().content == (i % 10 == 9 ? "at last" : std::to_string(i)));
    }
}

TEMPLATE_TEST_CASE("pipelined requests may ask for more than is sent at once", "[connection]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    // Replies of many sizes, so that each part of a reply is the one that is too much once.
    const auto size = GENERATE(0, 13, 400, 700);
    const auto path = "/large?" + std::to_string(size);
    constexpr int request_count = 1500;
    std::string requests;
    for (int i = 0; i < request_count; ++i) {
        requests += "GET " + path + " HTTP/1.1\r\nHost:\r\n\r\n";
    }
    const auto expected = distinct_bytes(static_cast<std::size_t>(size));
    auto replies = read_to_end(client.input());
    client.send(requests);
    client.finish();
    const std::string all = world.shard.run([&] { return std::move(replies); });
    std::string_view bytes = all;
    for (int i = 0; i < request_count; ++i) {
        const auto reply = take_reply(bytes);
        REQUIRE(reply.code == 200);
        REQUIRE(reply.content == expected);
    }
    CHECK(bytes.empty());
}

TEMPLATE_TEST_CASE("HTTP/1.0 closes, unless both sides want to keep the connection", "[connection]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto kept = client.reply();
    CHECK(kept.code == 200);
    CHECK(kept.has("Connection: keep-alive"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(client.reply().closes());
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("a connection ends when the request or the reply says so", "[connection]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    const bool asked_for = GENERATE(false, true);
    client.send(asked_for ? "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                          : "GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto reply = client.reply();
    CHECK(reply.code == 200);
    CHECK(reply.closes());
    CHECK(client.ended());
    client.close();
    world.run_until_connected(0);
}

TEMPLATE_TEST_CASE("requests behind the last one are not answered", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send("GET /close HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.reply().content == "bye");
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("HEAD gets the head of what GET would get", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /large?5000 HTTP/1.1\r\nHost: h\r\n\r\n"
                "HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto small = client.reply(true);
    CHECK(small.code == 200);
    CHECK(small.has("Content-Length: 5"));
    CHECK(client.reply(true).has("Content-Length: 5000"));
    CHECK(client.reply(true).code == 404);
    CHECK(client.get("/").content == "hello");
}

TEMPLATE_TEST_CASE("HEAD is refused without a body too (RFC 9110 9.3.2)", "[connection]",
                   test_shard, real_shard) {
    server_options options;
    options.bounds.header_bytes = 200;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    const auto [request, code] = GENERATE(table<std::string, unsigned>({
        {"HEAD / HTTP/1.1\r\n\r\n", 400},
        {"HEAD /%zz HTTP/1.1\r\n", 400},
        {"HEAD / HTTP/2.0\r\n", 505},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nX: " + std::string(300, 'x') + "\r\n\r\n", 431},
        {"HEAD /" + std::string(300, 'x') + " HTTP/1.1\r\n", 414},
    }));
    auto client = world.client();
    client.send(request);
    const auto refused = client.reply(true);
    CHECK(refused.code == code);
    CHECK(refused.closes());
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("a connection serves only so many requests", "[connection]", test_shard,
                   real_shard) {
    server_options options;
    options.request_count_max = 3;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    auto client = world.client();
    CHECK_FALSE(client.get("/").closes());
    CHECK_FALSE(client.post("/echo", "a").closes());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.reply().closes());
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("a peer that waits for a 100 gets one before it sends its content",
                   "[connection]", test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    const bool chunked = GENERATE(false, true);
    const std::string framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: 3";
    const std::string head =
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + framing + "\r\n\r\n";
    const std::string content = chunked ? "3\r\nabc\r\n0\r\n\r\n" : "abc";
    for (int i = 0; i < 2; ++i) {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n" + head);
        CHECK(client.reply().content == "hello");  // The reply that is due before comes before.
        CHECK(client.reply().code == 100);
        client.send(content);
        const auto reply = client.reply();
        CHECK(reply.code == 200);
        CHECK(reply.content == "abc");
    }
}

TEMPLATE_TEST_CASE("who has begun to send, or would be refused, gets no 100", "[connection]",
                   test_shard, real_shard) {
    server_options options;
    options.bounds.body_bytes = 3;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    auto client = world.client();
    const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n";
    client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n"
                "Content-Length: 3\r\n\r\n");
    client.send("abc");
    CHECK(client.reply().code == 200);
    client.send(head + "Content-Length: 4\r\n\r\n");
    const auto refused = client.reply();
    CHECK(refused.code == 413);
    CHECK(refused.closes());
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("large contents come and go whole, in either framing", "[connection]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    const std::string content = distinct_bytes(1'000'000);
    std::string chunks;
    for (std::size_t at = 0; at < content.size(); at += 62'500) {
        chunks += "f424\r\n" + content.substr(at, 62'500) + "\r\n";
    }
    const bool chunked = GENERATE(false, true);
    client.send(chunked ? "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                              chunks + "0\r\n\r\n"
                        : "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" +
                              content);
    CHECK(client.reply().content == content);
    CHECK(client.get("/large?300000").content == distinct_bytes(300'000));
    CHECK(client.get("/").content == "hello");
}

TEMPLATE_TEST_CASE("what a handler throws is a 500, is reported, and costs no connection",
                   "[connection]", test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    const expect_ignored_failures reported(2);
    captured_stderr said;
    auto client = world.client();
    CHECK(client.get("/throw").code == 500);
    CHECK(reported.so_far() == 1);
    CHECK(said.take().find("a bug") != std::string::npos);
    const auto reply = client.get("/fail");
    CHECK(reply.code == 500);
    CHECK(reply.content.find("a failure") == std::string::npos);  // Nobody's business.
    CHECK(client.get("/").code == 200);
}

TEMPLATE_TEST_CASE("while one handler waits, others are served", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto slow = world.client();
    auto fast = world.client();
    slow.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    world.run_until_pending(1);
    CHECK(fast.get("/").content == "hello");
    world.answer_all();
    CHECK(slow.reply().content == "at last");
    CHECK(slow.reply().content == "hello");
}

TEMPLATE_TEST_CASE("who has finished sending still gets his replies", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    const bool waits = GENERATE(false, true);
    client.send_get("/");
    client.send_get(waits ? "/wait" : "/large?200000");
    client.finish();
    if (waits) {
        world.run_until_pending(1);
        world.shard.run([] { return sleep(std::chrono::milliseconds(2)); });
        world.answer_all();
    }
    CHECK(client.reply().content == "hello");
    CHECK(client.reply().content == (waits ? "at last" : distinct_bytes(200'000)));
    CHECK(client.ended());
    world.run_until_connected(0);
}

TEMPLATE_TEST_CASE("who leaves in the middle of a request is forgotten", "[connection]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    const auto part = GENERATE(as<std::string>(), "", "GE", "GET / HTTP/1.1\r\nHost: h\r\n",
                               "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    client.send(part);
    const bool stays_to_read = GENERATE(false, true);
    if (stays_to_read) {
        client.finish();
        CHECK(client.ended());
    } else {
        client.close();
    }
    world.run_until_connected(0);
}

TEMPLATE_TEST_CASE("who leaves while a handler works for him costs nobody else anything",
                   "[connection]", test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send_get("/wait");
    world.run_until_pending(1);
    client.close();
    CHECK(world.client().get("/").content == "hello");
    world.answer_all();
    world.run_until_connected(0);
}
