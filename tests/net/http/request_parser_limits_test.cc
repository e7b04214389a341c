// The limits of request_parser at the byte, and every byte in every place.
#include <miniss/net/http/request_parser.hh>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include <miniss/tests/catch.hh>
#include <miniss/tests/net/http/parsed.hh>

using namespace miniss::http;

namespace {

const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const std::string digits = "0123456789";

bool is_accepted(const std::string& head) {
    const std::string verdict = parse_whole(head);
    return verdict != "incomplete" && verdict.find(" path=") != std::string::npos;
}

// The bytes that `head`, called with each of the 256, makes an acceptable head of.
std::string accepted_bytes(const std::function<std::string(char)>& head) {
    std::string accepted;
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        if (is_accepted(head(c))) {
            accepted += c;
        }
    }
    return accepted;
}

std::string sorted(std::string bytes) {
    std::sort(bytes.begin(), bytes.end(), [](char a, char b) {
        return static_cast<unsigned char>(a) < static_cast<unsigned char>(b);
    });
    return bytes;
}

}  // namespace

TEST_CASE("a request line of the limit's size is accepted, and one more byte is 414", "[http]") {
    const std::string rest = "Host: a\r\n\r\n";
    const std::string front = GENERATE("", "\r\n");
    const std::string line = front + "GET /" + std::string(50, 'x') + " HTTP/1.1\r\n";
    limits bounds;
    bounds.request_line_bytes = line.size();
    CHECK(parse_whole(line + rest, bounds) == parse_whole(line + rest));
    CHECK(find_differing_cut(line + rest, bounds) == "");

    for (std::size_t bytes = 0; bytes < line.size(); ++bytes) {
        bounds.request_line_bytes = bytes;
        REQUIRE(parse_whole(line + rest, bounds).substr(0, 4) == "414 ");
        REQUIRE(find_differing_cut(line + rest, bounds) == "");
        REQUIRE(bytes_until_verdict(line + rest, bounds) == std::max<std::size_t>(bytes, 1));
    }
}

TEST_CASE("a head of the limit's size is accepted, and one more byte is 431", "[http]") {
    const std::string line = "GET / HTTP/1.1\r\n";
    const std::string head = line + "Host: a\r\nX: y z \r\n\r\n";
    limits bounds;
    bounds.header_bytes = head.size();
    CHECK(parse_whole(head, bounds) == parse_whole(head));
    CHECK(find_differing_cut(head, bounds) == "");
    CHECK(parse_whole(head + "body", bounds) == parse_whole(head));

    for (std::size_t bytes = line.size(); bytes < head.size(); ++bytes) {
        bounds.header_bytes = bytes;
        REQUIRE(parse_whole(head, bounds).substr(0, 4) == "431 ");
        REQUIRE(find_differing_cut(head, bounds) == "");
        REQUIRE(bytes_until_verdict(head, bounds) == bytes);
    }
    // Before the end of the request line it is the line that is too long.
    bounds.header_bytes = line.size() - 1;
    CHECK(parse_whole(head, bounds).substr(0, 4) == "414 ");
}

TEST_CASE("a head without end is refused at the limit, in whatever part it has none", "[http]") {
    const std::string part = GENERATE("x", "X:x", "X: ", "X: y ", "X: y\r\nx");
    limits bounds;
    bounds.header_bytes = 200;
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + part + std::string(300, part.back());
    CHECK(parse_whole(head, bounds).substr(0, 4) == "431 ");
    CHECK(find_differing_cut(head, bounds) == "");
}

TEST_CASE("the largest possible head is parsed, with offsets of 16 bits", "[http]") {
    limits bounds;
    bounds.request_line_bytes = header_bytes_max;
    bounds.header_bytes = header_bytes_max;
    const std::string line = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    const std::string end = "\r\n\r\n";
    std::string head = line + std::string(header_bytes_max - line.size() - end.size(), 'y') + end;
    request_parser parser(bounds);
    REQUIRE(parser.parse(head) == parse_result::complete);
    CHECK(parser.head_bytes() == 65535);
    const request parsed(head.data(), parser.head());
    CHECK(parsed.header("x")->size() == header_bytes_max - line.size() - end.size());

    parser.reset();
    head.insert(line.size(), "y");
    REQUIRE(parser.parse(head) == parse_result::failed);
    CHECK(parser.error().code == status::request_header_fields_too_large);

    parser.reset();
    const std::string target = "GET /" + std::string(header_bytes_max - 20, 'y') + " HTTP/1.0\r\n";
    REQUIRE(parser.parse(target) == parse_result::incomplete);
    CHECK(parser.parse(target + "\r\n") == parse_result::complete);
    CHECK(parser.head().target.bytes == header_bytes_max - 19);
}

TEST_CASE("as many fields as the limit allows are accepted, and one more is 431", "[http]") {
    limits bounds;
    bounds.header_count = 3;
    const std::string line = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n";
    CHECK(parse_whole(line + "\r\n", bounds) == parse_whole(line + "\r\n"));
    CHECK(parse_whole(line + "Y: 3\r\n\r\n", bounds).substr(0, 4) == "431 ");
    CHECK(find_differing_cut(line + "Y: 3\r\n\r\n", bounds) == "");
    CHECK(bytes_until_verdict(line + "Y: 3\r\n\r\n", bounds) == line.size() + 1);
}

TEST_CASE("no field is accepted where the limit allows none, not even Host", "[http]") {
    limits bounds;
    bounds.header_count = 0;
    CHECK(parse_whole("GET / HTTP/1.1\r\nHost: a\r\n\r\n", bounds).substr(0, 4) == "431 ");
    CHECK(parse_whole("GET / HTTP/1.0\r\n\r\n", bounds) == parse_whole("GET / HTTP/1.0\r\n\r\n"));
}

TEST_CASE("content of the limit's size is accepted, and one more byte is 413", "[http]") {
    const std::string head = "POST / HTTP/1.1\r\nContent-Length: ";
    const std::string rest = "\r\nHost: a\r\n\r\n";
    limits bounds;
    bounds.body_bytes = 1000;
    CHECK(parse_whole(head + "1000" + rest, bounds) == parse_whole(head + "1000" + rest));
    CHECK(parse_whole(head + "1001" + rest, bounds).substr(0, 4) == "413 ");
    CHECK(find_differing_cut(head + "1001" + rest, bounds) == "");

    bounds.body_bytes = std::numeric_limits<std::uint64_t>::max();
    const std::string largest = head + "18446744073709551615" + rest;
    CHECK(parse_whole(largest, bounds).find(" length=18446744073709551615 ") != std::string::npos);
}

TEST_CASE("field names are made of tokens' bytes (RFC 9110 5.6.2)", "[http]") {
    // Everywhere in the sixteen bytes that are looked at together, and in those behind them.
    const std::size_t place = GENERATE(range<std::size_t>(0, 20));
    const auto in_name = [place](char c) {
        std::string name(20, 'y');
        name[place] = c;
        return "GET / HTTP/1.1\r\nHost: a\r\nx" + name + ":" + std::string(16, 'z') + "\r\n\r\n";
    };
    // A colon ends the name, and the rest is a value.
    CHECK(accepted_bytes(in_name) == sorted(letters + digits + "!#$%&'*+-.^_`|~:"));
}

TEST_CASE("field values are made of visible bytes, blanks and high bytes (RFC 9110 5.5)",
          "[http]") {
    std::string expected = "\t";
    for (int byte = 0x20; byte < 256; ++byte) {
        expected += byte == 0x7f ? "" : std::string(1, static_cast<char>(byte));
    }
    // Likewise.
    const std::size_t place = GENERATE(range<std::size_t>(0, 20));
    const auto in_value = [place](char c) {
        std::string value(20, '\xff');
        value[place] = c;
        return "GET / HTTP/1.1\r\nHost: a\r\nX:y" + value + "\r\n\r\n";
    };
    CHECK(accepted_bytes(in_value) == expected);
}

TEST_CASE("tabs in a value hide no control byte behind them", "[http]") {
    const std::size_t tab = GENERATE(range<std::size_t>(0, 16));
    const std::size_t control = GENERATE(range<std::size_t>(0, 16));
    const char byte = GENERATE('\x01', '\x1f', '\x7f', '\n');
    std::string value(16, 'v');
    value[tab] = '\t';
    CHECK(is_accepted("GET / HTTP/1.1\r\nHost: a\r\nX:y" + value + "\r\n\r\n"));
    value[control] = byte;
    CHECK_FALSE(is_accepted("GET / HTTP/1.1\r\nHost: a\r\nX:y" + value + "\r\n\r\n"));
}

TEST_CASE("paths are made of these bytes", "[http]") {
    const auto in_path = [](char c) {
        return "GET /a" + std::string(1, c) + "b HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    CHECK(accepted_bytes(in_path) ==
          sorted(letters + digits + "-._~!$&'()*+,;=:@/" + "?" + "[]^`{|}"));
}

TEST_CASE("queries are made of these bytes", "[http]") {
    const auto in_query = [](char c) {
        return "GET /?a" + std::string(1, c) + "b HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    CHECK(accepted_bytes(in_query) ==
          sorted(letters + digits + "-._~!$&'()*+,;=:@/" + "?" + "[]^`{|}" + "\\%"));
}

TEST_CASE("registered names are made of these bytes (RFC 3986 3.2.2)", "[http]") {
    const auto in_host = [](char c) {
        return "GET / HTTP/1.1\r\nHost: a" + std::string(1, c) + "1\r\n\r\n";
    };
    // A colon begins the port.
    CHECK(accepted_bytes(in_host) == sorted(letters + digits + "-._~!$&'()*+,;=" + ":"));
}
