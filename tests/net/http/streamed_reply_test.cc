// Tests of replies whose content is made while it is sent.
#include <miniss/net/http/content_writer.hh>

#include <fstream>
#include <functional>

#include <miniss/core/file.hh>
#include <miniss/net/http/chunked_parser.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/net/http/http_world.hh>
#include <miniss/tests/net/scratch_directory.hh>

using namespace miniss;
using namespace miniss::http;
using namespace std::chrono_literals;

namespace {

using write_function = std::function<future<>(content_writer&)>;

// A world that answers GET /made with what `make` writes.
template <typename Shard>
struct made_world : http_world<Shard> {
    write_function make;
    std::optional<std::uint64_t> length;
    status code = status::ok;

    template <typename Where>
    explicit made_world(Where where, const server_options& its_options = {})
        : http_world<Shard>(std::move(where), its_options) {
        this->table.add({method::get}, "/made", [this](const request&) {
            const auto written = [this](content_writer& out) { return make(out); };
            return make_ready_future<reply>(
                length ? reply::streamed(code, "text/plain", *length, written)
                       : reply::streamed(code, "text/plain", written));
        });
    }
};

const std::string ask = "GET /made HTTP/1.1\r\nHost: h\r\n\r\n";

// The head and what follows; the connection is expected to end.
template <typename Shard>
std::pair<std::string, std::string> ask_and_close(http_client<Shard>& client,
                                                  const std::string& request) {
    client.send(request);
    const std::string all = client.rest();
    const auto end = all.find("\r\n\r\n");
    REQUIRE(end != std::string::npos);
    return {all.substr(0, end + 4), all.substr(end + 4)};
}

// Takes chunks apart; the end must be there.
std::string without_chunks(std::string_view bytes, std::string& trailers) {
    limits bounds;
    bounds.body_bytes = 1'000'000'000;
    chunked_parser parser(bounds);
    std::string content;
    for (;;) {
        const auto step = parser.consume(bytes);
        content.append(step.data);
        const auto used = bytes.substr(0, step.used);
        bytes.remove_prefix(step.used);
        if (step.what == chunked_parser::result::complete) {
            CHECK(bytes.empty());
            trailers = std::string(used.substr(used.size() - parser.trailer_bytes()));
            return content;
        }
        REQUIRE(step.what == chunked_parser::result::data);
    }
}

const std::string last_request = "GET /made HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

}  // namespace

TEMPLATE_TEST_CASE("content of unknown length goes out in chunks, whole and in order",
                   "[streaming]", test_shard, real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    const std::string content = distinct_bytes(1'000'000);
    world.make = [&content](content_writer& out) {
        return do_with(std::size_t(0), [&out, &content](std::size_t& at) {
            return do_until([&] { return at == content.size(); },
                            [&] {
                                const auto piece = std::string_view(content).substr(at, 10'000);
                                at += piece.size();
                                return out.write(piece);
                            });
        });
    };
    auto client = world.client();
    const auto [head, body] = ask_and_close(client, last_request);
    CHECK(head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(head.find("Content-Length") == std::string::npos);
    std::string trailers;
    CHECK(without_chunks(body, trailers) == content);
    CHECK(trailers == "\r\n");
}

TEMPLATE_TEST_CASE("the connection goes on behind chunks", "[streaming]", test_shard, real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    world.make = [](content_writer& out) { return out.write("abc"); };
    auto client = world.client();
    client.send(ask + "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + ask);
    CHECK(client.reply(true).has("Transfer-Encoding: chunked"));
    const std::string chunks = "3\r\nabc\r\n0\r\n\r\n";
    client.send(last_request);
    const std::string rest = client.rest();
    CHECK(rest.starts_with(chunks + "HTTP/1.1 200 OK\r\n"));
    CHECK(rest.find("hello"
                    "HTTP/1.1 200 OK\r\n") != std::string::npos);
    CHECK(rest.ends_with("\r\n\r\n" + chunks));
}

TEMPLATE_TEST_CASE("to HTTP/1.0 content of unknown length goes up to the end of the connection",
                   "[streaming]", test_shard, real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    world.make = [](content_writer& out) {
        out.add_trailer("X-Sum", "1");
        return out.write("abc");
    };
    auto client = world.client();
    const auto [head, body] =
        ask_and_close(client, "GET /made HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(head.find("Transfer-Encoding") == std::string::npos);
    CHECK(head.find("Content-Length") == std::string::npos);
    CHECK(head.find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(body == "abc");
}

TEMPLATE_TEST_CASE("content of a known length keeps the connection, of HTTP/1.0 too", "[streaming]",
                   test_shard, real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    world.length = 5;
    world.make = [](content_writer& out) {
        return out.write("ab").then([&out] { return out.flush(); }).then([&out] {
            return sleep(1ms).then([&out] { return out.write("cde"); });
        });
    };
    auto client = world.client();
    client.send("GET /made HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto reply = client.reply();
    CHECK(reply.content == "abcde");
    CHECK(reply.has("Content-Length: 5"));
    CHECK(client.get("/made").content == "abcde");
    CHECK(client.get("/").content == "hello");
}

TEMPLATE_TEST_CASE("trailers stand behind the last chunk", "[streaming]", test_shard, real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    world.make = [](content_writer& out) {
        return out.write("abc").then([&out] {
            out.add_trailer("X-Sum", "17");
            out.add_trailer("X-End", "");
            CHECK_THROWS_AS(out.add_trailer("Content-Length", "5"), std::invalid_argument);
            CHECK_THROWS_AS(out.add_trailer("A\r\nB", "5"), std::invalid_argument);
            CHECK_THROWS_AS(out.add_trailer("A", "x\r\n\r\n"), std::invalid_argument);
        });
    };
    auto client = world.client();
    std::string trailers;
    CHECK(without_chunks(ask_and_close(client, last_request).second, trailers) == "abc");
    CHECK(trailers == "X-Sum: 17\r\nX-End: \r\n\r\n");
}

TEMPLATE_TEST_CASE("what was flushed arrives before there is more", "[streaming]", test_shard,
                   real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    promise<> more;
    world.make = [&more](content_writer& out) {
        return out.write("first").then([&out] { return out.flush(); }).then([&] {
            return more.get_future().then([&out] { return out.write("second"); });
        });
    };
    auto client = world.client();
    client.send(last_request);
    std::string bytes;
    while (!bytes.ends_with("\r\n\r\n5\r\nfirst\r\n")) {
        bytes.append(world.shard.run([&] { return client.input().read(); }).view());
    }
    more.set_value();
    CHECK(client.rest() == "6\r\nsecond\r\n0\r\n\r\n");
}

TEMPLATE_TEST_CASE("a peer that does not read stops the writer, which goes on when he does",
                   "[streaming]", test_shard, real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    std::size_t written = 0;
    constexpr std::size_t total = too_much_bytes<TestType>;
    const std::string piece(100'000, 'x');
    world.make = [&](content_writer& out) {
        return do_until([&] { return written == total; },
                        [&] {
                            written += piece.size();
                            return out.write(piece);
                        });
    };
    auto client = world.client();
    client.send(last_request);
    world.shard.run([] { return sleep(100ms); });
    CHECK(written < total);
    const auto size = client.rest().size();
    CHECK(size > total);
    CHECK(size < total + 100'000);
}

TEMPLATE_TEST_CASE("a writer that fails cuts the connection, so that nobody takes it for the end",
                   "[streaming]", test_shard, real_shard) {
    const expect_ignored_failures one(1);
    const captured_stderr errors;
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    if (GENERATE(false, true)) {
        world.length = 100;
    }
    const bool throws = GENERATE(false, true);
    world.make = [throws](content_writer& out) {
        if (throws) {
            throw std::runtime_error("cannot go on");
        }
        return out.write("abc").then([&out] { return out.flush(); }).then([] {
            throw std::runtime_error("cannot go on");
        });
    };
    auto client = world.client();
    client.send(ask);
    CHECK(client.rest().find("\r\n0\r\n\r\n") == std::string::npos);
}

TEMPLATE_TEST_CASE("a writer that keeps to another length than announced cuts the connection",
                   "[streaming]", test_shard, real_shard) {
    const expect_ignored_failures one(1);
    const captured_stderr errors;
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    world.length = GENERATE(2U, 4U);
    world.make = [](content_writer& out) { return out.write("abc"); };
    auto client = world.client();
    client.send(ask);
    CHECK(client.rest().empty());
}

TEMPLATE_TEST_CASE("the writer is not asked where no content is due", "[streaming]", test_shard,
                   real_shard) {
    made_world<TestType> world(GENERATE(from_range(places<TestType>())));
    world.make = [](content_writer&) -> future<> {
        FAIL("asked");
        return make_ready_future<>();
    };
    auto client = world.client();
    SECTION("HEAD") {
        client.send("HEAD /made HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(client.reply(true).has("Transfer-Encoding: chunked"));
        world.length = 7;
        client.send("HEAD /made HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(client.reply(true).has("Content-Length: 7"));
    }
    SECTION("304") {
        world.code = status::not_modified;
        CHECK(client.get("/made").head.find("Transfer-Encoding") == std::string::npos);
    }
    SECTION("205") {
        world.code = status::reset_content;
        CHECK(client.get("/made").has("Content-Length: 0"));
    }
    CHECK(client.get("/").content == "hello");
}

TEST_CASE("a writer may take its time, a peer that does not read may not", "[streaming][sim]") {
    server_options options;
    options.send_time = 1s;
    made_world<test_shard> world(GENERATE(from_range(places<test_shard>())), options);
    auto client = world.client();
    SECTION("a slow writer") {
        world.make = [](content_writer& out) {
            return out.write("abc").then([&out] { return out.flush(); }).then([&out] {
                return sleep(1h).then([&out] { return out.write("def"); });
            });
        };
        client.send(last_request);
        CHECK(client.rest().ends_with("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"));
    }
    SECTION("a peer that does not read") {
        world.make = [](content_writer& out) {
            return keep_doing([&out] { return out.write(std::string(100'000, 'x')); });
        };
        client.send(last_request);
        world.run_until_connected(1);
        world.run_until_connected(0);
    }
}

TEST_CASE("a part of a file is content like any other, in chunks and of a known length",
          "[streaming]") {
    made_world<test_shard> world(GENERATE(range(0u, 10u)));
    scratch_directory scratch;
    const std::string content = distinct_bytes(300'000);
    std::ofstream(scratch.path("file"), std::ios::binary) << content;
    const file source =
        world.shard.run([&] { return open_file(scratch.path("file"), open_flags::ro); });
    world.make = [&source](content_writer& out) {
        return out.write("<").then([&] { return out.send_file(source, 10, 299'990); }).then([&out] {
            return out.write(">");
        });
    };
    const std::string expected = "<" + content.substr(10) + ">";
    auto client = world.client();
    SECTION("in chunks") {
        std::string trailers;
        CHECK(without_chunks(ask_and_close(client, last_request).second, trailers) == expected);
    }
    SECTION("of a known length") {
        world.length = expected.size();
        CHECK(ask_and_close(client, last_request).second == expected);
    }
    SECTION("that is too short for it") {
        const expect_ignored_failures reported(1);
        world.length = 299'000;
        CHECK(ask_and_close(client, last_request).second.size() < 299'000);
    }
    world.shard.run([&source] { return source.close(); });
}

TEST_CASE("a file that ends too early cuts the reply off, and is reported", "[streaming]") {
    made_world<test_shard> world(GENERATE(range(0u, 10u)));
    const expect_ignored_failures reported(1);
    scratch_directory scratch;
    std::ofstream(scratch.path("file")) << std::string(200'000, 'x');
    const file source =
        world.shard.run([&] { return open_file(scratch.path("file"), open_flags::ro); });
    world.make = [&source](content_writer& out) { return out.send_file(source, 0, 300'000); };
    if (GENERATE(true, false)) {
        world.length = 300'000;
    }
    auto client = world.client();
    CHECK(ask_and_close(client, last_request).second.size() < 201'000);
    world.shard.run([&source] { return source.close(); });
}
