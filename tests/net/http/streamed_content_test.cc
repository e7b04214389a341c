// Tests of contents that handlers read while they come in.
#include <miniss/net/http/content_error.hh>

#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/net/http/http_world.hh>

using namespace miniss;
using namespace miniss::http;
using namespace std::chrono_literals;

namespace {

const std::string chunked_head =
    "POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEMPLATE_TEST_CASE("a streaming handler reads its content whole, in either framing", "[streaming]",
                   test_shard, real_shard) {
    server_options options;
    options.bounds.body_bytes = 10'000'000;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    auto client = world.client();
    for (const std::size_t size : {0UL, 1UL, 1000UL, 300'000UL}) {
        const std::string content = distinct_bytes(size);
        CHECK(client.post("/upload", content).content == std::to_string(size));
        CHECK(world.uploaded == content);
        char head[32];
        std::snprintf(head, sizeof head, "%zx\r\n", size);
        const std::string chunk = size == 0 ? "" : head + content + "\r\n";
        client.send(chunked_head + chunk + "3\r\nend\r\n0\r\n\r\n");
        CHECK(client.reply().content == std::to_string(size + 3));
        CHECK(world.uploaded == content + "end");
    }
    CHECK(client.get("/").content == "hello");
}

TEMPLATE_TEST_CASE("trailer fields of a request are there once its content was read", "[streaming]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send(chunked_head +
                "3\r\nabc\r\n0\r\nX-Sum: 17 \r\nContent-Length: 5\r\nEmpty:\r\n\r\n");
    CHECK(client.reply().content == "3X-Sum=17;Content-Length=5;Empty=;");
    client.send(chunked_head + "0\r\n\r\n");
    CHECK(client.reply().content == "0");
    CHECK(client.post("/upload", "abc").content == "3");
}

TEMPLATE_TEST_CASE("a handler that does not read stops its peer", "[streaming]", test_shard,
                   real_shard) {
    server_options options;
    options.bounds.body_bytes = 100'000'000;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    auto client = world.client();
    constexpr std::size_t size = too_much_bytes<TestType>;
    client.send("POST /unread-until HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                std::to_string(size) + "\r\n\r\n");
    world.run_until_pending(1);
    const std::string content(size, 'x');
    auto sent = client.output().write(content).then([&] { return client.output().flush(); });
    world.shard.run([] { return sleep(100ms); });
    CHECK_FALSE(sent.available());
    world.answer_all();
    const auto reply = client.reply();
    CHECK(reply.content == "at last");
    CHECK(reply.closes());  // So much that is unread is not passed over.
    world.shard.run([&] { return sent.handle_exception([](const std::exception_ptr&) {}); });
}

TEMPLATE_TEST_CASE("content that nobody reads is passed over, up to a bound", "[streaming]",
                   test_shard, real_shard) {
    server_options options;
    options.unread_content_bytes = 10'000;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    auto client = world.client();
    const std::string path = GENERATE("/unread", "/nowhere", "/");
    const auto answer_of = [&path](const received_reply& reply) {
        return reply.code == (path == "/unread" ? 200 : path == "/" ? 405 : 404);
    };
    const std::string head = "POST " + path + " HTTP/1.1\r\nHost: h\r\n";
    // A length is known to be too long before; chunks only when they have come.
    for (const std::size_t size : {0UL, 1UL, 10'000UL}) {
        const auto kept = client.post(path, std::string(size, 'x'));
        CHECK(answer_of(kept));
        CHECK_FALSE(kept.closes());
        client.send(head + "Transfer-Encoding: chunked\r\n\r\n2710\r\n" + std::string(10'000, 'x') +
                    "\r\n0\r\nA: b\r\n\r\n");
        CHECK(answer_of(client.reply()));
        CHECK(client.get("/").content == "hello");
    }
    SECTION("a long length") {
        client.send_post(path, std::string(10'001, 'x'));
        const auto closed = client.reply();
        CHECK(answer_of(closed));
        CHECK(closed.closes());
        CHECK(client.ended());
    }
    if (path == "/unread") {
        SECTION("many chunks") {
            client.send(head + "Transfer-Encoding: chunked\r\n\r\n2711\r\n" +
                        std::string(10'001, 'x') +
                        "\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
            CHECK(answer_of(client.reply()));
            CHECK(client.ended());
        }
        SECTION("a malformed chunk") {
            client.send(head + "Transfer-Encoding: chunked\r\n\r\nx\r\n" +
                        "0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
            CHECK(answer_of(client.reply()));
            CHECK(client.ended());
        }
    }
}

TEMPLATE_TEST_CASE("the first read asks for content whose peer waits for a 100", "[streaming]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    const std::string rest =
        " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST /upload" + rest);
    CHECK(client.reply().content == "hello");
    CHECK(client.reply().code == 100);
    client.send("abc");
    CHECK(client.reply().content == "3");
    CHECK(world.uploaded == "abc");
    // Whoever is answered without may send or not: the connection cannot go on.
    client.send(GENERATE("POST /unread", "POST /nowhere", "PUT /") + rest);
    const auto reply = client.reply();
    CHECK(reply.code != 100);
    CHECK(reply.closes());
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("malformed content fails the read, and is answered like a malformed request",
                   "[streaming]", test_shard, real_shard) {
    server_options options;
    options.bounds.body_bytes = 10;
    http_world<TestType> world(GENERATE(from_range(places<TestType>())), options);
    const auto [content, code] = GENERATE(table<const char*, unsigned>({
        {"3\r\nabcX", 400},
        {"x\r\n", 400},
        {"-1\r\n", 400},
        {"b\r\n", 413},
        {"a\r\n0123456789\r\n1\r\n", 413},
        {"0\r\nX Y: z\r\n", 400},
    }));
    auto client = world.client();
    client.send(chunked_head + content);
    const auto refused = client.reply();
    CHECK(refused.code == code);
    CHECK(refused.closes());
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("content that ends early is a 400 for a peer that still listens", "[streaming]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send(chunked_head + "5\r\nab");
    client.finish();
    CHECK(client.reply().code == 400);
    CHECK(client.ended());
}

TEST_CASE("streamed content may come slowly, but not with too long a gap", "[streaming][sim]") {
    server_options options;
    options.content_gap_time = 10s;
    http_world<test_shard> world(GENERATE(from_range(places<test_shard>())), options);
    auto client = world.client();
    client.send(chunked_head);
    for (int i = 0; i < 10; ++i) {
        world.shard.run([] { return sleep(9s); });
        client.send("1\r\nx\r\n");
    }
    const auto start = world.now();
    const auto refused = client.reply();
    CHECK(refused.code == 408);
    CHECK(refused.closes());
    CHECK(world.now() - start >= 9s);
    CHECK(world.now() - start < 12s);
}

TEMPLATE_TEST_CASE("a stop's deadline ends a handler that reads", "[streaming]", test_shard,
                   real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send(chunked_head + "1\r\nx\r\n");
    world.run_until_connected(1);
    world.begin_stop(50ms);
    world.finish_stop();
    CHECK(client.ended());
}

TEMPLATE_TEST_CASE("a reply may be written from content that still comes in", "[streaming]",
                   test_shard, real_shard) {
    http_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send("POST /through HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::string expected;
    std::string bytes;
    const auto read_on = [&] {
        const auto piece = world.shard.run([&] { return client.input().read(); });
        REQUIRE_FALSE(piece.empty());
        bytes.append(piece.view());
    };
    while (bytes.find("\r\n\r\n") == std::string::npos) {
        read_on();
    }
    bytes.erase(0, bytes.find("\r\n\r\n") + 4);
    for (int i = 0; i < 5; ++i) {
        client.send("1\r\n" + std::string(1, "abcde"[i]) + "\r\n");
        while (bytes != "1\r\n" + std::string(1, "abcde"[i]) + "\r\n") {
            read_on();
        }
        bytes.clear();
    }
    client.send("0\r\n\r\n");
    CHECK(world.shard.run([&] { return client.input().read_exactly(5); }).view() == "0\r\n\r\n");
    CHECK(client.get("/").content == "hello");
}
