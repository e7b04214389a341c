// Queries and percent-decoding.
#include <miniss/net/http/query.hh>

#include <charconv>
#include <iterator>

#include <miniss/net/http/percent.hh>
#include <miniss/tests/catch.hh>

using namespace miniss::http;
using std::string_literals::operator""s;

namespace {

std::string pairs_of(std::string_view query) {
    std::string all;
    for (const auto& [key, value] : query_pairs(query)) {
        all.append("[").append(key).append("|").append(value).append("]");
    }
    return all;
}

}  // namespace

TEST_CASE("queries are split at ampersands, pairs at the first equals sign", "[http]") {
    CHECK(pairs_of("") == "");
    CHECK(pairs_of("a=13&b=42") == "[a|13][b|42]");
    CHECK(pairs_of("a") == "[a|]");
    CHECK(pairs_of("a=") == "[a|]");
    CHECK(pairs_of("=b") == "[|b]");
    CHECK(pairs_of("=") == "[|]");
    CHECK(pairs_of("a=b=c&a=b") == "[a|b=c][a|b]");
    CHECK(pairs_of("a;b=c%26d") == "[a;b|c%26d]");
}

TEST_CASE("empty pairs are passed over", "[http]") {
    CHECK(pairs_of("&") == "");
    CHECK(pairs_of("&&a=1&&&b=2&&") == "[a|1][b|2]");
}

TEST_CASE("pairs can be iterated over in the ways of the standard library", "[http]") {
    const query_pairs pairs("a=1&a=1");
    CHECK(std::distance(pairs.begin(), pairs.end()) == 2);
    auto at = pairs.begin();
    CHECK((*at++).key == "a");
    CHECK(at != pairs.begin());
    CHECK(at != pairs.end());
    CHECK(++at == pairs.end());
}

TEST_CASE("values of a query can be added up", "[http]") {
    int sum = 0;
    for (const auto& [key, value] : query_pairs("a=13&b=42&c=-1")) {
        int number = 0;
        std::from_chars(value.data(), value.data() + value.size(), number);
        sum += number;
    }
    CHECK(sum == 54);
}

TEST_CASE("percent-encoded bytes are decoded (RFC 3986 2.1)", "[http]") {
    std::string scratch;
    CHECK(decode_path("/%41%6a%2F%ff%25.", scratch) == "/Aj/\xff%.");
    CHECK(decode_path("/%2541", scratch) == "/%41");  // Once, not twice.
    CHECK(decode_path("/%2e%2E/etc", scratch) == "/../etc");
    CHECK(decode_form("%41", scratch) == "A");
    CHECK(decode_form("a%3Db%26+c%00", scratch) == "a=b& c\0"s);
}

TEST_CASE("a plus sign is a space in forms only", "[http]") {
    std::string scratch;
    CHECK(decode_form("+a+b+", scratch) == " a b ");
    CHECK(decode_form("%2B", scratch) == "+");
    CHECK(decode_path("/a+b", scratch) == "/a+b");
    CHECK(decode_path("/a+b%20", scratch) == "/a+b ");
}

TEST_CASE("a text with nothing to decode is returned itself", "[http]") {
    std::string scratch = "untouched";
    const std::string_view raw = "/plain";
    CHECK(decode_path(raw, scratch)->data() == raw.data());
    CHECK(decode_form(raw, scratch)->data() == raw.data());
    CHECK(decode_form("", scratch) == "");
    CHECK(scratch == "untouched");
}

TEST_CASE("percent signs that escape nothing are not decoded", "[http]") {
    std::string scratch;
    const std::string raw = GENERATE("%", "a%4", "%4", "%g1", "%1g", "%%41", "%41%", "% 41", "%-1");
    CHECK(decode_path(raw, scratch) == std::nullopt);
    CHECK(decode_form(raw, scratch) == std::nullopt);
    // Digits behind the end of the text do not count.
    const std::string_view whole = "a%41";
    CHECK(decode_path(whole.substr(0, 3), scratch) == std::nullopt);
    CHECK(decode_form(whole.substr(0, 2), scratch) == std::nullopt);
}

TEST_CASE("a path with a NUL byte is refused, encoded or not", "[http]") {
    std::string scratch;
    CHECK(decode_path("/a%00b", scratch) == std::nullopt);
    CHECK(decode_path("/a\0b"s, scratch) == std::nullopt);
}
