// Tests of what is logged about requests, and that nobody waits for it.
#include <miniss/net/http/access_log.hh>

#include <miniss/net/http/request_parser.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/net/http/http_world.hh>

using namespace miniss;
using namespace miniss::http;

namespace {

constexpr std::int64_t moment = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

// Parses a head, and keeps it.
struct kept_request {
    std::string text;
    limits bounds;
    request_parser parser{bounds};

    explicit kept_request(const std::string& line) : text(line + "\r\nHost: h\r\n\r\n") {
        REQUIRE(parser.parse(text) == parse_result::complete);
    }
    request get() const { return request(text.data(), parser.head()); }
};

std::string line_of(const access_record& record) {
    std::string line;
    append_access_line(line, record, moment);
    return line;
}

// Keeps what is written, each call by itself, and takes its time if it is told to.
struct recorder {
    std::vector<std::string> written;
    std::vector<std::uint64_t> dropped_counts;
    std::vector<promise<>> pending;
    bool waits = false;
    bool fails = false;

    access_log::writer writer() {
        return [this](std::string lines, std::uint64_t dropped_count) {
            written.push_back(std::move(lines));
            dropped_counts.push_back(dropped_count);
            if (fails) {
                throw std::runtime_error("the disk is full");
            }
            if (!waits) {
                return make_ready_future<>();
            }
            pending.emplace_back();
            return pending.back().get_future();
        };
    }
    std::string all() const {
        std::string text;
        for (const auto& each : written) {
            text += each;
        }
        return text;
    }
};

}  // namespace

TEST_CASE("an access line is in the common log format", "[access_log]") {
    const kept_request get("GET /path?a=b HTTP/1.1");
    const request asked = get.get();
    CHECK(line_of({socket_address::parse("192.0.2.1:80"), &asked, status::ok, 1234}) ==
          "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /path?a=b HTTP/1.1\" 200 1234\n");
    CHECK(line_of({socket_address::parse("[2001:db8::1]:80"), nullptr, status::bad_request, 0}) ==
          "2001:db8::1 - - [06/Nov/1994:08:49:37 +0000] \"-\" 400 -\n");
    const kept_request old("HEAD / HTTP/1.0");
    const request asked_long_ago = old.get();
    CHECK(line_of({socket_address::parse("unix:/a:b"), &asked_long_ago, status::not_found, 0}) ==
          "- - - [06/Nov/1994:08:49:37 +0000] \"HEAD / HTTP/1.0\" 404 -\n");
    CHECK(line_of({}).starts_with("- - - ["));
}

TEST_CASE("nobody can forge an access line or send control bytes to a terminal", "[access_log]") {
    // The parser refuses the worst of it, so the bytes are put in behind its back.
    kept_request get("GET /aaaaaa HTTP/1.1");
    get.text.replace(5, 6, "\"\\\n\x1b\x7f\xff");
    const request asked = get.get();
    CHECK(line_of({{}, &asked, status::ok, 1}) ==
          "- - - [06/Nov/1994:08:49:37 +0000] "
          "\"GET /\\x22\\x5c\\x0a\\x1b\\x7f\\xff HTTP/1.1\" 200 1\n");
}

TEST_CASE("lines gather while others are written, and the excess is dropped, counted and reported",
          "[access_log]") {
    test_shard shard;
    recorder to;
    to.waits = true;
    const std::size_t line_bytes = line_of({}).size();
    access_log log(to.writer(), 3 * line_bytes);
    for (int i = 0; i < 6; ++i) {
        log.add({}, moment);
    }
    CHECK(to.written.size() == 1);  // One at a time.
    CHECK(log.dropped_count() == 2);
    to.waits = false;
    to.pending.front().set_value();
    shard.run_until_rest();
    REQUIRE(to.written.size() == 2);
    CHECK(to.written[0].size() == line_bytes);
    CHECK(to.written[1].size() == 3 * line_bytes);
    CHECK(to.dropped_counts == std::vector<std::uint64_t>{0, 2});
    log.add({}, moment);
    shard.run([&] { return log.stop(); });
    CHECK(to.dropped_counts == std::vector<std::uint64_t>{0, 2, 0});
}

TEST_CASE("stopping an access log waits until everything is written", "[access_log]") {
    test_shard shard;
    recorder to;
    to.waits = true;
    access_log log(to.writer());
    log.add({}, moment);
    log.add({}, moment);
    auto stopped = log.stop();
    shard.run_until_rest();
    CHECK_FALSE(stopped.available());
    to.waits = false;
    to.pending.front().set_value();
    shard.run([&] { return std::move(stopped); });
    CHECK(to.all() == line_of({}) + line_of({}));
}

TEST_CASE("lines that could not be written count as dropped, and writing goes on", "[access_log]") {
    test_shard shard;
    const expect_ignored_failures reported(1);
    recorder to;
    to.fails = true;
    access_log log(to.writer());
    log.add({}, moment);
    shard.run_until_rest();
    CHECK(log.dropped_count() == 1);
    to.fails = false;
    log.add({}, moment);
    shard.run([&] { return log.stop(); });
    CHECK(to.dropped_counts == std::vector<std::uint64_t>{0, 1});
}

TEST_CASE("every reply is logged, with what was sent of its content", "[access_log][connection]") {
    recorder to;
    access_log log(to.writer());
    http_world<test_shard> world(GENERATE(range(0u, 5u)));
    world.served->set_access_log(log);
    world.table.add({method::get}, "/chunks", [](const request&) {
        return make_ready_future<reply>(
            reply::streamed(status::ok, "text/plain", [](content_writer& out) {
                return out.write("abc").then([&out] { return out.flush(); }).then([&out] {
                    return out.write("de");
                });
            }));
    });
    auto client = world.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"
                "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
                "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                "GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n"
                "GET /nowhere HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    client.rest();
    auto other = world.client();
    other.send("GET / HTTP/1.1\r\n\r\n");
    other.rest();
    std::string text = to.all();
    const auto take_line = [&text] {
        const std::string line = text.substr(0, text.find('\n'));
        text.erase(0, line.size() + 1);
        CHECK(line.starts_with("127.0.0.1 - - ["));
        return line.substr(line.find("] ") + 2);
    };
    CHECK(take_line() == "\"GET / HTTP/1.1\" 200 5");
    CHECK(take_line() == "\"HEAD / HTTP/1.1\" 200 -");
    CHECK(take_line() == "\"POST /upload HTTP/1.1\" 200 1");
    CHECK(take_line() == "\"GET /chunks HTTP/1.1\" 200 5");
    CHECK(take_line().starts_with("\"GET /nowhere HTTP/1.0\" 404 "));
    CHECK(take_line().starts_with("\"POST /echo HTTP/1.1\" 400 "));
    CHECK(take_line().starts_with("\"-\" 400 "));
    CHECK(text.empty());
}
