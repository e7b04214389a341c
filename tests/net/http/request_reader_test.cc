// Tests of request_reader: however the bytes come in pieces, the same requests come out.
#include <miniss/net/http/request_reader.hh>

#include <algorithm>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/sim/sim_random.hh>

using namespace miniss;
using namespace miniss::http;

namespace {

// Requests of every framing, behind each other as a peer may send them.
const std::string pipeline =
    "GET /first?a=1 HTTP/1.1\r\nHost: h\r\n\r\n"
    "POST /second HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world"
    "\r\nPUT /third HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
    "5\r\nhello\r\n1;ext=\"v\"\r\n \r\n5\r\nworld\r\n0\r\nTrailer: t\r\n\r\n"
    "POST /fourth HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    "POST /fifth HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    "GET /last HTTP/1.0\r\n\r\n";

const std::vector<std::string> requests_of_pipeline = {
    "GET /first?a=1 Host=h; ",
    "POST /second Host=h; Content-Length=11; hello world",
    "PUT /third Host=h; Transfer-Encoding=chunked; X=y; hello world",
    "POST /fourth Host=h; Content-Length=0; ",
    "POST /fifth Host=h; Transfer-Encoding=chunked; ",
    "GET /last ",
};

std::string describe(const request& asked) {
    std::string text(name_of(asked.method()));
    text.append(" ").append(asked.target()).append(" ");
    for (const auto [name, value] : asked.headers()) {
        text.append(name).append("=").append(value).append("; ");
    }
    return text.append(asked.content);
}

temporary_buffer<char> piece_of(std::string_view bytes) {
    return temporary_buffer<char>(bytes.data(), bytes.size());
}

// What comes out of a reader: each request, and at last the error, if any.
struct outcome {
    std::vector<std::string> requests;
    refusal error;

    // Feeds a piece and reads on. The piece is freed as soon as the reader lets go of it.
    void add(request_reader& reader, std::string_view piece) {
        if (error) {
            return;
        }
        reader.feed(piece_of(piece));
        auto result = reader.read();
        for (; result == parse_result::complete; result = reader.read()) {
            requests.push_back(describe(reader.current()));
            reader.consume();
        }
        if (result == parse_result::failed) {
            error = reader.error();
        }
    }
};

outcome read_in(const std::vector<std::string_view>& pieces, const limits& bounds = {}) {
    request_reader reader(bounds);
    outcome result;
    for (const auto piece : pieces) {
        result.add(reader, piece);
    }
    return result;
}

std::vector<std::string_view> single_bytes(std::string_view bytes) {
    std::vector<std::string_view> pieces;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        pieces.push_back(bytes.substr(i, 1));
    }
    return pieces;
}

// The same with the content taken piece by piece.
outcome stream_in(const std::vector<std::string_view>& pieces, const limits& bounds = {}) {
    using result = request_reader::content_result;
    request_reader reader(bounds);
    outcome found;
    for (const auto piece : pieces) {
        if (found.error) {
            break;
        }
        reader.feed(piece_of(piece));
        for (bool goes_on = true; goes_on;) {
            if (!reader.has_head()) {
                const auto head = reader.read_head();
                goes_on = head == parse_result::complete;
                if (goes_on) {
                    reader.hold_head();
                    found.requests.push_back(describe(reader.current()));
                }
            } else {
                temporary_buffer<char> content;
                const auto next = reader.next_content(content);
                goes_on = next == result::data || next == result::complete;
                found.requests.back().append(content.view());
                if (next == result::complete) {
                    CHECK(reader.is_complete());
                    reader.consume();
                }
            }
            found.error = reader.error();
        }
    }
    return found;
}

// Whole, byte by byte, and cut in two everywhere.
void check_every_cut(const std::string& bytes, const std::vector<std::string>& requests,
                     status code, const limits& bounds = {}) {
    const auto check = [&](const std::vector<std::string_view>& pieces) {
        const outcome found = read_in(pieces, bounds);
        REQUIRE(found.requests == requests);
        REQUIRE(found.error.code == code);
        if (code == status::ok) {  // Else the content begins to come before it is refused.
            REQUIRE(stream_in(pieces, bounds).requests == requests);
        }
        REQUIRE(stream_in(pieces, bounds).error.code == code);
    };
    const std::string_view whole(bytes);
    check({whole});
    check(single_bytes(whole));
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        CAPTURE(cut);
        check({whole.substr(0, cut), whole.substr(cut)});
    }
}

// A piece whose bytes somebody watches.
class watched_piece final : public buffer_owner {
    std::string _bytes;
    bool _freed = false;

    void free_memory() noexcept override { _freed = true; }

public:
    explicit watched_piece(std::string bytes) : _bytes(std::move(bytes)) {}
    temporary_buffer<char> lend() { return {_bytes.data(), _bytes.size(), this}; }
    bool freed() const noexcept { return _freed; }
    bool holds(std::string_view part) const noexcept {
        return part.data() >= _bytes.data() &&
               part.data() + part.size() <= _bytes.data() + _bytes.size();
    }
};

}  // namespace

TEST_CASE("the same requests come out wherever the bytes are cut in two", "[request_reader]") {
    check_every_cut(pipeline, requests_of_pipeline, status::ok);
}

TEST_CASE("the same requests come out however the bytes are cut", "[request_reader]") {
    sim::sim_random random(GENERATE(range(1u, 500u)));
    std::vector<std::string_view> pieces;
    for (std::string_view rest = pipeline; !rest.empty();) {
        const std::size_t size = random.piece(rest.size());
        pieces.push_back(rest.substr(0, size));
        rest.remove_prefix(size);
    }
    const outcome found = read_in(pieces);
    CHECK(found.requests == requests_of_pipeline);
    CHECK_FALSE(found.error);
}

TEST_CASE("empty pieces change nothing", "[request_reader]") {
    std::vector<std::string_view> pieces;
    for (const auto byte : single_bytes(pipeline)) {
        pieces.push_back(byte);
        pieces.emplace_back();
    }
    CHECK(read_in(pieces).requests == requests_of_pipeline);
}

TEST_CASE("what is refused is refused for the same reason wherever it is cut", "[request_reader]") {
    limits small;
    small.request_line_bytes = 64;
    small.header_bytes = 128;
    small.header_count = 4;
    small.body_bytes = 16;
    small.chunk_extension_bytes = 8;
    small.trailer_bytes = 16;
    const std::string fine = "GET /fine HTTP/1.1\r\nHost: h\r\n\r\n";
    const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
    const auto [bytes, code] = GENERATE_COPY(table<std::string, status>({
        {fine + "GET /" + std::string(64, 'x'), status::uri_too_long},
        {fine + "GET / HTTP/1.1\r\nX: " + std::string(128, 'x'),
         status::request_header_fields_too_large},
        {fine + "GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n",
         status::request_header_fields_too_large},
        {fine + post + "Content-Length: 17\r\n\r\n", status::content_too_large},
        {fine + post + "Transfer-Encoding: chunked\r\n\r\n11\r\n", status::content_too_large},
        {fine + post + "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n1\r\n",
         status::content_too_large},
        {fine + post + "Transfer-Encoding: chunked\r\n\r\n1;extension=x\r\n",
         status::content_too_large},
        {fine + post + "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: " + std::string(9, 'x'),
         status::request_header_fields_too_large},
        {fine + post + "Transfer-Encoding: chunked\r\n\r\nx", status::bad_request},
        {fine + "\x16\x03\x01", status::bad_request},
        {fine + "GET / HTTP/2.0\r\n\r\n", status::http_version_not_supported},
        {fine + "BREW / HTTP/1.1\r\n\r\n", status::not_implemented},
    }));
    CAPTURE(bytes);
    check_every_cut(bytes, {"GET /fine Host=h; "}, code, small);
}

TEST_CASE("an error stays, whatever comes behind it", "[request_reader]") {
    const limits bounds;
    request_reader reader(bounds);
    reader.feed(piece_of("GARBAGE\r\n\r\n" + pipeline));
    CHECK(reader.read() == parse_result::failed);
    const auto code = reader.error().code;
    CHECK(reader.read() == parse_result::failed);
    CHECK(reader.error().code == code);
    CHECK_FALSE(reader.has_unread());
    reader.feed(piece_of(pipeline));
    CHECK(reader.read() == parse_result::failed);
    CHECK(reader.error().code == code);
}

TEST_CASE("requests that came in one piece are read where they are", "[request_reader]") {
    watched_piece piece("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                        "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    const limits bounds;
    request_reader reader(bounds);
    reader.feed(piece.lend());
    REQUIRE(reader.read() == parse_result::complete);
    CHECK(piece.holds(reader.current().target()));
    CHECK(piece.holds(reader.current().content));
    CHECK(reader.has_unread());
    reader.consume();
    REQUIRE(reader.read() == parse_result::complete);
    CHECK(piece.holds(reader.current().target()));
    CHECK_FALSE(reader.has_unread());
    CHECK_FALSE(piece.freed());
    reader.consume();
    CHECK(reader.read() == parse_result::incomplete);
    CHECK(piece.freed());
}

TEST_CASE("a request that is not complete holds no receive buffer", "[request_reader]") {
    const auto framing =
        GENERATE(as<std::string>(), "Content-Length: 10", "Transfer-Encoding: chunked");
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n" + framing + "\r\n\r\n";
    const std::string whole =
        head + (framing[0] == 'C' ? "0123456789" : "a\r\n0123456789\r\n0\r\n\r\n");
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        CAPTURE(cut);
        watched_piece first(whole.substr(0, cut));
        watched_piece second(whole.substr(cut));
        const limits bounds;
        request_reader reader(bounds);
        reader.feed(first.lend());
        REQUIRE(reader.read() == parse_result::incomplete);
        REQUIRE(first.freed());
        reader.feed(second.lend());
        REQUIRE(reader.read() == parse_result::complete);
        REQUIRE(reader.current().content == "0123456789");
        reader.consume();
        REQUIRE(reader.read() == parse_result::incomplete);
        REQUIRE(second.freed());
    }
}

TEST_CASE("a content that comes whole behind its head is not copied", "[request_reader]") {
    watched_piece content("0123456789");
    const limits bounds;
    request_reader reader(bounds);
    reader.feed(piece_of("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"));
    REQUIRE(reader.read() == parse_result::incomplete);
    reader.feed(content.lend());
    REQUIRE(reader.read() == parse_result::complete);
    CHECK(content.holds(reader.current().content));
    CHECK(reader.current().target() == "/");
}

TEST_CASE("after the first one, a request in one piece allocates nothing", "[request_reader]") {
    const std::string text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    watched_piece piece(text + text + text);
    const limits bounds;
    request_reader reader(bounds);
    reader.feed(piece.lend());
    REQUIRE(reader.read() == parse_result::complete);
    reader.consume();
    const allocations_since start;
    for (int i = 0; i < 2; ++i) {
        const auto result = reader.read();
        reader.consume();
        REQUIRE(result == parse_result::complete);
    }
    CHECK(start.count() == 0);
}

TEST_CASE("the memory of a large request is given back once it was consumed", "[request_reader]") {
    const auto framing =
        GENERATE(as<std::string>(), "Content-Length: 1000", "Transfer-Encoding: chunked");
    const std::string content(1000, 'c');
    const std::string large = "POST / HTTP/1.1\r\nHost: h\r\nX: " + std::string(1000, 'x') +
                              "\r\n" + framing + "\r\n\r\n" +
                              (framing[0] == 'C' ? content : "3e8\r\n" + content + "\r\n0\r\n\r\n");
    const limits bounds;
    request_reader reader(bounds);
    const auto feed_bytes = [&reader](std::string_view bytes) {
        auto result = parse_result::incomplete;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            reader.feed(piece_of(bytes.substr(i, 1)));
            result = reader.read();
        }
        return result;
    };
    (void)feed_bytes("GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n");
    reader.consume();
    const long before = live_allocation_count();
    const auto result = feed_bytes(large);
    const long during = live_allocation_count();
    reader.consume();
    (void)reader.read();
    const long after = live_allocation_count();
    CHECK(result == parse_result::complete);
    CHECK(during > before);
    CHECK(after <= before);  // What it keeps for small requests may be gone too.
}

TEST_CASE("the reader knows what it has of a request", "[request_reader]") {
    const limits bounds;
    request_reader reader(bounds);
    const auto feed = [&reader](std::string_view bytes) {
        reader.feed(piece_of(bytes));
        return reader.read();
    };
    CHECK_FALSE(reader.has_begun());
    CHECK(feed("\r\n") == parse_result::incomplete);  // Of the request before.
    CHECK_FALSE(reader.has_begun());
    CHECK(feed("P") == parse_result::incomplete);
    CHECK(reader.has_begun());
    CHECK_FALSE(reader.has_head());
    CHECK(feed("OST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n") ==
          parse_result::incomplete);
    CHECK(reader.has_begun());
    CHECK(reader.has_head());
    CHECK(feed("xG") == parse_result::complete);
    CHECK(reader.has_unread());
    reader.consume();
    CHECK(reader.read() == parse_result::incomplete);
    CHECK(reader.has_begun());
    CHECK_FALSE(reader.has_head());
}

TEST_CASE("who waits for a 100 waits while nothing of the content is here", "[request_reader]") {
    const auto awaits = [](const std::string& fields, const std::string& content) {
        const limits bounds;
        request_reader reader(bounds);
        const std::string version = fields.find("1.0") == 0 ? "1.0" : "1.1";
        reader.feed(piece_of("POST / HTTP/" + version + "\r\nHost: h\r\n" +
                             fields.substr(fields.find("E")) + "\r\n\r\n" + content));
        (void)reader.read();
        return reader.awaits_continue();
    };
    CHECK(awaits("Expect: 100-continue\r\nContent-Length: 3", ""));
    CHECK(awaits("Expect: 100-Continue\r\nTransfer-Encoding: chunked", ""));
    CHECK_FALSE(awaits("Expect: 100-continue\r\nContent-Length: 3", "a"));
    CHECK_FALSE(awaits("Expect: 100-continue\r\nContent-Length: 3", "abc"));
    CHECK_FALSE(awaits("Expect: 100-continue\r\nContent-Length: 0", ""));
    CHECK_FALSE(awaits("Expect: 100-continue\r\nTransfer-Encoding: chunked", "3\r\na"));
    CHECK_FALSE(awaits("1.0 Expect: 100-continue\r\nContent-Length: 3", ""));
    CHECK_FALSE(awaits("Expect: 100-continue\r\nX: y", ""));
}

TEST_CASE("asking for more than has come does not make the next request a copy", "[http]") {
    const limits bounds;
    request_reader reader(bounds);
    const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    reader.feed(piece_of(text));
    CHECK(reader.read() == parse_result::complete);
    reader.consume();
    CHECK(reader.read() == parse_result::incomplete);
    CHECK(reader.is_untouched());
    auto piece = piece_of(text);
    const char* memory = piece.get();
    reader.feed(std::move(piece));
    REQUIRE(reader.read() == parse_result::complete);
    CHECK(reader.current().target().data() == memory + 4);
}
