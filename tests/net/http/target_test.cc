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
