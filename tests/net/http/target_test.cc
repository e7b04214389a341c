// Targets and authorities by themselves; what a parser makes of them stands in its own tests.
#include <miniss/net/http/target.hh>

#include <miniss/net/http/authority.hh>
#include <miniss/tests/catch.hh>

using namespace miniss::http;
using namespace miniss::http::internal;

TEST_CASE("the parts of a target are views of it", "[http]") {
    const std::string_view text = "http://a:80/b?c?d";
    target_parts parts;
    REQUIRE_FALSE(parse_target(method::get, text, parts));
    CHECK(parts.form == target_form::absolute);
    CHECK(parts.authority == "a:80");
    CHECK(parts.path == "/b");
    CHECK(parts.query == "c?d");
    CHECK(parts.query.data() == text.data() + 14);
}

TEST_CASE("escapes are looked for within the text only", "[http]") {
    const std::string_view path = "/%41";
    target_parts parts;
    CHECK_FALSE(parse_target(method::get, path, parts));
    CHECK(parse_target(method::get, path.substr(0, 3), parts).code == status::bad_request);
    CHECK(parse_target(method::get, path.substr(0, 2), parts).code == status::bad_request);

    const std::string_view host = "a%41:8";
    CHECK(parse_authority(host));
    CHECK_FALSE(parse_authority(host.substr(0, 3)));
    CHECK_FALSE(parse_authority(host.substr(0, 2)));
}

TEST_CASE("an empty text is neither a target nor an authority", "[http]") {
    const method verb = GENERATE(method::get, method::options, method::connect);
    target_parts parts;
    CHECK(parse_target(verb, "", parts).code == status::bad_request);
    CHECK_FALSE(parse_authority(""));
}

TEST_CASE("an authority is a host and perhaps a port", "[http]") {
    CHECK(parse_authority("a.b")->host == "a.b");
    CHECK_FALSE(parse_authority("a.b")->port);
    CHECK_FALSE(parse_authority("a.b:")->port);
    CHECK(parse_authority("a.b:0080")->port == 80);
    CHECK(parse_authority("[1:2::3.4.5.6]:7")->host == "[1:2::3.4.5.6]");
    CHECK(parse_authority("[1:2::3.4.5.6]:7")->port == 7);
    CHECK_FALSE(parse_authority(std::string_view("[::1\0]", 6)));
}

TEST_CASE("an authority is skipped as far as it is one", "[http]") {
    CHECK(skip_authority("a.b:80/c", 0) == 6);
    CHECK(skip_authority("x [::1]:8 ", 2) == 9);
    CHECK(skip_authority("a:", 0) == 2);
    CHECK(skip_authority("a%41%4", 0) == 4);
    CHECK(skip_authority("a:65535", 0) == 7);
    CHECK(skip_authority("a:65536", 0) == 1);
    CHECK(skip_authority("a:000000080", 0) == 11);
    CHECK(skip_authority("xx", 2) == 2);
    CHECK(skip_authority("a b", 1) == 1);
    CHECK(skip_authority(":80", 0) == 0);
    CHECK(skip_authority("[::g]", 0) == 0);
    CHECK(skip_authority("[::1", 0) == 0);
}

TEST_CASE("authorities are compared without case and with the default port", "[http]") {
    const auto same = [](std::string_view a, std::string_view b) {
        return is_same_authority(*parse_authority(a), *parse_authority(b), 80);
    };
    CHECK(same("a", "A"));
    CHECK(same("a", "a:80"));
    CHECK(same("a:", "a:080"));
    CHECK_FALSE(same("a", "a:81"));
    CHECK_FALSE(same("a", "b"));
    CHECK_FALSE(same("a", "a."));
}

TEST_CASE("texts are equal if all of their bytes are", "[http]") {
    for (std::size_t bytes = 0; bytes <= 40; ++bytes) {
        const std::string text(bytes, 'x');
        CHECK(equals(text, std::string(text)));
        CHECK(!equals(text, text + 'x'));
        for (std::size_t i = 0; i < bytes; ++i) {
            std::string other = text;
            other[i] = 'y';
            CHECK(!equals(text, other));
        }
    }
}
