// What a handler can ask of a request.
#include <miniss/net/http/request.hh>

#include <iterator>
#include <string>

#include <miniss/net/http/request_parser.hh>
#include <miniss/tests/catch.hh>

using namespace miniss::http;

namespace {

// Keeps together what a request views.
struct parsed {
    limits bounds;
    std::string text;
    request_parser parser{bounds};

    explicit parsed(std::string head) : text(std::move(head)) {
        REQUIRE(parser.parse(text) == parse_result::complete);
    }
    request get() const { return {text.data(), parser.head()}; }
};

}  // namespace

TEST_CASE("header() finds the first field of a name, in any case", "[http]") {
    const parsed head("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nEmpty:\r\n\r\n");
    const request asked = head.get();
    CHECK(asked.header("X-One") == "1");
    CHECK(asked.header("x-ONE") == "1");
    CHECK(asked.header("hOst") == "a");
    CHECK(asked.header("Empty") == "");
    CHECK(asked.header("X-On") == std::nullopt);
    CHECK(asked.header("X-One1") == std::nullopt);
    CHECK(asked.header("X_One") == std::nullopt);
    CHECK(asked.header("") == std::nullopt);
}

TEST_CASE("names are compared by letters, not by bits", "[http]") {
    // '@' and '`', '[' and '{' differ in the bit that tells upper from lower case.
    const parsed head("GET / HTTP/1.1\r\nHost: a\r\nA`: 1\r\n\r\n");
    CHECK(head.get().header("a`") == "1");
    CHECK(head.get().header("a@") == std::nullopt);
}

TEST_CASE("headers() lists all fields in order", "[http]") {
    const parsed head("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nb: d\r\n\r\n");
    const request asked = head.get();
    std::string all;
    for (const auto [name, value] : asked.headers()) {
        all.append(name).append("=").append(value).append(";");
    }
    CHECK(all == "Host=a;B=c;b=d;");
    CHECK(asked.headers().size() == 3);
    auto second = asked.headers().begin();
    CHECK((*second++).name == "Host");
    CHECK((*second).name == "B");
    CHECK(std::distance(asked.headers().begin(), asked.headers().end()) == 3);
}

TEST_CASE("texts of a request are views of its bytes", "[http]") {
    const parsed head("GET /a?b HTTP/1.1\r\nHost: c\r\n\r\n");
    request asked = head.get();
    CHECK(asked.target().data() == head.text.data() + 4);
    CHECK(asked.path().data() == head.text.data() + 4);
    CHECK(asked.query().data() == head.text.data() + 7);
    CHECK(asked.host().data() == head.text.data() + 25);
    CHECK(asked.form() == target_form::origin);
    CHECK(asked.content.empty());
    asked.content = "body";
    CHECK(asked.content == "body");
}

TEST_CASE("content is announced by a length above zero or by chunks", "[http]") {
    const auto announced = [](const std::string& fields) {
        return parsed("POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n").get().announces_content();
    };
    CHECK_FALSE(announced(""));
    CHECK_FALSE(announced("Content-Length: 0\r\n"));
    CHECK(announced("Content-Length: 1\r\n"));
    CHECK(announced("Transfer-Encoding: chunked\r\n"));
}

TEST_CASE("a parser that is used again allocates no more", "[http]") {
    // The vector of fields is all that it allocates.
    const limits bounds;
    request_parser parser(bounds);
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    REQUIRE(parser.parse(head) == parse_result::complete);
    const auto* fields = parser.head().fields.data();
    parser.reset();
    REQUIRE(parser.parse(head) == parse_result::complete);
    CHECK(parser.head().fields.data() == fields);
}

TEST_CASE("an idle parser holds on to little memory, however many fields it saw", "[http]") {
    const limits bounds;
    request_parser parser(bounds);
    std::string head = "GET / HTTP/1.0\r\n";
    for (int i = 0; i < 100; ++i) {
        head += "A: b\r\n";
    }
    const std::string few = "GET / HTTP/1.0\r\nA: b\r\n\r\n";
    REQUIRE(parser.parse(head + "\r\n") == parse_result::complete);
    CHECK(parser.head().fields.capacity() >= 100);
    parser.reset();
    REQUIRE(parser.parse(few) == parse_result::complete);
    CHECK(parser.head().fields.capacity() <= 32);
    CHECK(sizeof(request_parser) + 32 * sizeof(header_span) <= 512);
}
