// Chunked bodies: what is accepted, what is refused and how soon, limits at the byte.
#include <miniss/net/http/chunked_parser.hh>

#include <limits>
#include <memory>
#include <string>

#include <miniss/tests/catch.hh>

using namespace miniss::http;
using std::string_literals::operator""s;

namespace {

// What a parser made of a text: content and bytes used if complete, else why not.
struct decoder {
    chunked_parser parser;
    std::string content;
    std::size_t used = 0;
    chunked_parser::result last = chunked_parser::result::incomplete;

    explicit decoder(const limits& bounds) : parser(bounds) {}

    // In a block of memory of its own, so that a sanitizer sees a read too far.
    void feed(std::string_view text) {
        auto block = std::make_unique<char[]>(text.size());
        text.copy(block.get(), text.size());
        std::string_view rest(block.get(), text.size());
        do {
            const auto step = parser.consume(rest);
            content.append(step.data);
            used += step.used;
            rest.remove_prefix(step.used);
            last = step.what;
        } while (last == chunked_parser::result::data);
    }

    std::string verdict() const {
        if (last == chunked_parser::result::complete) {
            return "'" + content + "' in " + std::to_string(used);
        }
        if (last == chunked_parser::result::failed) {
            return std::to_string(static_cast<unsigned>(parser.error().code)) + " " +
                   parser.error().rule;
        }
        return "incomplete";
    }
};

std::string decode(std::string_view text, const limits& bounds = {}) {
    decoder whole(bounds);
    whole.feed(text);
    return whole.verdict();
}

// Returns the first way of cutting `text` that leads to something else than reading it whole.
std::string find_differing_cut(std::string_view text, const limits& bounds = {}) {
    const std::string whole = decode(text, bounds);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        decoder halves(bounds);
        halves.feed(text.substr(0, cut));
        halves.feed(text.substr(cut));
        if (halves.verdict() != whole) {
            return "at " + std::to_string(cut) + ": " + halves.verdict();
        }
    }
    decoder by_byte(bounds);
    for (const char c : text) {
        by_byte.feed({&c, 1});
    }
    return by_byte.verdict() == whole ? "" : "byte by byte: " + by_byte.verdict();
}

std::size_t bytes_until_verdict(std::string_view text, const limits& bounds = {}) {
    decoder by_byte(bounds);
    for (std::size_t bytes = 1; bytes <= text.size(); ++bytes) {
        by_byte.feed(text.substr(bytes - 1, 1));
        if (by_byte.last != chunked_parser::result::incomplete) {
            return bytes;
        }
    }
    return 0;
}

struct accepted {
    const char* rule;
    std::string body;
    std::string content;
};

struct refused {
    const char* rule;
    std::string seen;
    std::string rest = "\r\n0\r\n\r\n";
};

}  // namespace

TEST_CASE("well-formed chunked bodies give their content", "[http]") {
    const accepted row = GENERATE(values<accepted>({
        {"RFC 9112 7.1: nothing", "0\r\n\r\n", ""},
        {"RFC 9112 7.1: one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"RFC 9112 7.1: several chunks", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef"},
        {"RFC 9112 7.1: digits of both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
         "01234567890123456789a"},
        {"RFC 9112 7.1: sixteen digits", "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", "a"},
        {"RFC 9112 7.1: content may be anything", "6\r\n\r\n0\r\n\0\r\n0\r\n\r\n"s, "\r\n0\r\n\0"s},
        {"RFC 9112 7.1.1: an extension without value", "1;a\r\nx\r\n0;b\r\n\r\n", "x"},
        {"RFC 9112 7.1.1: an extension with a value", "1;a=b\r\nx\r\n0\r\n\r\n", "x"},
        {"RFC 9112 7.1.1: a quoted value", "1;a=\"\";b=\";\\\"\\\\\t\x80 =\"\r\nx\r\n0\r\n\r\n",
         "x"},
        {"RFC 9112 7.1.1: bad white space",
         "1 \t; \ta \t= \tb \t;\tc ;d= \"e\" ;f\r\nx\r\n0\r\n\r\n", "x"},
        {"RFC 9112 7.1.2: trailers", "1\r\nx\r\n0\r\nA: b\r\nContent-Length: \t9 \r\nC:\r\n\r\n",
         "x"},
    }));
    INFO(row.rule);
    const std::string verdict = "'" + row.content + "' in " + std::to_string(row.body.size());
    CHECK(decode(row.body) == verdict);
    CHECK(find_differing_cut(row.body) == "");
    CHECK(bytes_until_verdict(row.body.substr(0, row.body.size() - 1)) <= row.body.size());
    // What follows is left alone.
    CHECK(decode(row.body + "\r\nGET") == verdict);
}

TEST_CASE("malformed chunked bodies are refused as soon as the fault is there", "[http]") {
    const refused row = GENERATE(values<refused>({
        {"RFC 9112 7.1: no size", "\r"},
        {"RFC 9112 7.1: no size before an extension", ";"},
        {"RFC 9112 7.1: a plus sign", "+"},
        {"RFC 9112 7.1: a minus sign", "-"},
        {"RFC 9112 7.1: white space before a size", " "},
        {"RFC 9112 7.1: a prefix", "0x"},
        {"RFC 9112 7.1: a letter that is no digit", "1g"},
        {"RFC 9112 7.1: a seventeenth digit", "00000000000000001"},
        {"RFC 9112 7.1: 2^64", "10000000000000000"},
        {"RFC 9112 7.1: LF alone behind a size", "1\n"},
        {"RFC 9112 7.1: CR without LF behind a size", "1\rx"},
        {"RFC 9112 7.1: white space behind a size", "1 \r"},
        {"RFC 9112 7.1: two sizes", "1 1"},
        {"RFC 9112 7.1: a chunk longer than its size", "1\r\nab"},
        {"RFC 9112 7.1: LF alone behind content", "1\r\na\n"},
        {"RFC 9112 7.1: CR without LF behind content", "1\r\na\r0"},
        {"RFC 9112 7.1: no size behind a chunk", "1\r\na\r\n\r"},
        {"RFC 9112 7.1.1: no name", "1;\r"},
        {"RFC 9112 7.1.1: no name before a value", "1;="},
        {"RFC 9112 7.1.1: no name between semicolons", "1;;"},
        {"RFC 9112 7.1.1: no value", "1;a=\r"},
        {"RFC 9112 7.1.1: no value before a semicolon", "1;a=;"},
        {"RFC 9112 7.1.1: two values", "1;a=b="},
        {"RFC 9112 7.1.1: two names", "1;a b"},
        {"RFC 9112 7.1.1: a value and a word", "1;a=b c"},
        {"RFC 9112 7.1.1: a quoted name", "1;\""},
        {"RFC 9112 7.1.1: text behind a quoted value", "1;a=\"b\"c"},
        {"RFC 9112 7.1.1: a value behind a quoted value", "1;a=\"b\"="},
        {"RFC 9112 7.1.1: a quote within a value", "1;a=b\""},
        {"RFC 9112 7.1.1: a byte that is of no token", "1;a@"},
        {"RFC 9112 7.1.1: white space at the end", "1;a \r"},
        {"RFC 9112 7.1.1: white space behind a value", "1;a=b \r"},
        {"RFC 9112 7.1.1: LF alone behind an extension", "1;a\n"},
        {"RFC 9112 7.1.1: LF alone behind a value", "1;a=b\n"},
        {"RFC 9110 5.6.4: a line break in quotes", "1;a=\"b\r"},
        {"RFC 9110 5.6.4: an escaped control byte", "1;a=\"\\\r"},
        {"RFC 9110 5.6.4: NUL in quotes", "1;a=\"\0"s},
        {"RFC 9112 7.1.2: LF alone ends no body", "0\r\n\n"},
        {"RFC 9112 7.1.2: CR without LF at the end", "0\r\n\rx"},
        {"RFC 9112 5.1: white space before the colon", "0\r\nA "},
        {"RFC 9112 5.2: white space before a trailer", "0\r\n "},
        {"RFC 9112 5.2: a folded trailer", "0\r\nA: b\r\n\t"},
        {"RFC 9110 5.1: no name in a trailer", "0\r\n:"},
        {"RFC 9110 5.1: no colon in a trailer", "0\r\nA\r"},
        {"RFC 9110 5.5: NUL in a trailer", "0\r\nA: \0"s},
        {"RFC 9112 2.2: LF alone in a trailer", "0\r\nA: b\n"},
        {"RFC 9112 2.2: CR without LF in a trailer", "0\r\nA: b\rC"},
    }));
    INFO(row.rule);
    const std::string body = row.seen + row.rest;
    CHECK(decode(body).substr(0, 4) == "400 ");
    CHECK(find_differing_cut(body) == "");
    CHECK(bytes_until_verdict(body) == row.seen.size());
}

TEST_CASE("chunks come to at most the limit of the content together, or it is 413", "[http]") {
    limits bounds;
    bounds.body_bytes = 18;
    const std::string first = "10\r\n0123456789abcdef\r\n";
    const std::string good = first + "2\r\nxy\r\n0\r\n\r\n";
    CHECK(decode(good, bounds) == "'0123456789abcdefxy' in " + std::to_string(good.size()));
    // Refused before any of the content has come.
    const std::string bad = first + "3\r\n";
    CHECK(decode(bad, bounds).substr(0, 4) == "413 ");
    CHECK(bytes_until_verdict("13\r\nx", bounds) == 4);
    CHECK(find_differing_cut(bad + "xyz\r\n0\r\n\r\n", bounds) == "");
    CHECK(decode(first + "ffffffffffffffff\r\n", bounds).substr(0, 4) == "413 ");

    bounds.body_bytes = 0;
    CHECK(decode("0\r\n\r\n", bounds) == "'' in 5");
    CHECK(decode("1\r\n", bounds).substr(0, 4) == "413 ");
}

TEST_CASE("a chunk may be as large as 64 bits can say", "[http]") {
    limits bounds;
    bounds.body_bytes = std::numeric_limits<std::uint64_t>::max();
    chunked_parser parser(bounds);
    const std::string_view text = "ffffffffffffffff\r\nabc";
    auto step = parser.consume(text);
    CHECK(step.what == chunked_parser::result::data);
    CHECK(step.data == "abc");
    CHECK(step.data.data() == text.data() + 18);  // A view of the bytes, not a copy.
    CHECK(step.used == text.size());
    CHECK(parser.body_bytes() == std::numeric_limits<std::uint64_t>::max());
    CHECK(parser.consume("").what == chunked_parser::result::incomplete);
}

TEST_CASE("all chunk extensions of a body together are bounded (RFC 9112 7.1.1)", "[http]") {
    limits bounds;
    bounds.chunk_extension_bytes = 20;
    // From the semicolon to the end of the line: 12, 2 and 6 bytes.
    const std::string body = "1;abcdefghijk\r\nx\r\n1;y\r\nz\r\n0;a=\"b\r\n\r\n";
    const std::string good = "1;abcdefghijk\r\nx\r\n1;y\r\nz\r\n0;a=\"b\"\r\n\r\n";
    CHECK(decode(good, bounds) == "'xz' in " + std::to_string(good.size()));
    bounds.chunk_extension_bytes = 19;
    CHECK(decode(good, bounds).substr(0, 4) == "413 ");
    CHECK(find_differing_cut(good, bounds) == "");
    CHECK(bytes_until_verdict(good, bounds) == good.size() - 4);

    const std::string endless = GENERATE("1;", "1 ", "1;a=", "1;a=\"", "1;a=b ");
    CHECK(decode(endless + std::string(100, endless.back() == ' ' ? ' ' : 'x'), bounds) ==
          decode(good, bounds));
}

TEST_CASE("the trailer section is bounded in bytes", "[http]") {
    const std::string chunks = "1\r\nx\r\n0\r\n";
    const std::string trailers = "Ab: cd\r\n\r\n";
    limits bounds;
    bounds.trailer_bytes = trailers.size();
    CHECK(decode(chunks + trailers, bounds) ==
          "'x' in " + std::to_string(chunks.size() + trailers.size()));
    for (std::size_t bytes = 0; bytes < trailers.size(); ++bytes) {
        bounds.trailer_bytes = bytes;
        REQUIRE(decode(chunks + trailers, bounds).substr(0, 4) == "431 ");
        REQUIRE(bytes_until_verdict(chunks.substr(6) + trailers, bounds) == 3 + bytes + 1);
        REQUIRE(find_differing_cut(chunks + trailers, bounds) == "");
    }
}

TEST_CASE("trailer fields are bounded in number", "[http]") {
    limits bounds;
    bounds.header_count = 2;
    CHECK(decode("0\r\nA: b\r\nC: d\r\n\r\n", bounds) == "'' in 17");
    CHECK(decode("0\r\nA: b\r\nC: d\r\nE", bounds).substr(0, 4) == "431 ");
}

TEST_CASE("chunked_parser::reset() forgets everything about the body before", "[http]") {
    limits bounds;
    bounds.body_bytes = 2;
    bounds.chunk_extension_bytes = 2;
    bounds.trailer_bytes = 8;
    bounds.header_count = 1;
    const std::string body = "2;a\r\nxy\r\n0\r\nA: b\r\n\r\n";
    decoder reused(bounds);
    for (std::size_t bytes = 0; bytes <= body.size(); ++bytes) {
        reused.parser.reset();
        reused.feed(body.substr(0, bytes));
        reused.parser.reset();
        reused.feed("z");
        REQUIRE(reused.last == chunked_parser::result::failed);
        reused.parser.reset();
        REQUIRE_FALSE(reused.parser.error());
        REQUIRE(reused.parser.body_bytes() == 0);
        reused.content.clear();
        reused.used = 0;
        reused.feed(body);
        REQUIRE(reused.verdict() == "'xy' in 20");
    }
}

TEST_CASE("a chunked parser's verdict stands until reset()", "[http]") {
    const limits bounds;
    chunked_parser parser(bounds);
    CHECK(parser.consume("0\r\n\r\n").used == 5);
    CHECK(parser.consume("0\r\n\r\n").used == 0);
    CHECK(parser.consume("").what == chunked_parser::result::complete);
    parser.reset();
    CHECK(parser.consume("x").what == chunked_parser::result::failed);
    CHECK(parser.consume("0\r\n\r\n").what == chunked_parser::result::failed);
    CHECK(parser.consume("0\r\n\r\n").used == 0);
}
