// Tests of routes: who answers a request, and what is said when nobody does.
#include <miniss/net/http/routes.hh>

#include <stdexcept>

#include <miniss/net/http/request_parser.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/http/head_of.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using namespace miniss::http;

namespace {

handler answer_with(const char* text) {
    return [text](const request&) {
        return make_ready_future<reply>(reply(status::ok, "text/plain", text));
    };
}

// A shard, and a table that is asked on it.
struct asked_table {
    test_shard shard;
    routes table;

    // The status and content of the reply, or the status and Allow.
    std::string ask(const std::string& line) {
        const limits bounds;
        request_parser parser(bounds);
        const std::string text = line + " HTTP/1.1\r\nHost: h\r\n\r\n";
        REQUIRE(parser.parse(text) == parse_result::complete);
        request asked(text.data(), parser.head());
        const reply answer = shard.run([&] { return table.dispatch(asked); });
        const std::string head = head_of(answer, {});
        const auto allow = head.find("Allow: ");
        const auto code = std::to_string(static_cast<unsigned>(answer.status()));
        return allow == std::string::npos
                   ? code + " " + std::string(answer.content())
                   : code + " " + head.substr(allow, head.find('\r', allow) - allow);
    }
};

}  // namespace

TEST_CASE("a request goes to the route of its path and method", "[routes]") {
    asked_table asked;
    asked.table.add({method::get}, "/a", answer_with("get a"))
        .add({method::post, method::put}, "/a", answer_with("post or put a"))
        .add_any_method("/b", answer_with("any b"));
    CHECK(asked.ask("GET /a") == "200 get a");
    CHECK(asked.ask("POST /a") == "200 post or put a");
    CHECK(asked.ask("PUT /a") == "200 post or put a");
    CHECK(asked.ask("DELETE /b") == "200 any b");
    CHECK(asked.ask("GET /a?x=y") == "200 get a");
    CHECK(asked.ask("GET http://h/a") == "200 get a");
}

TEST_CASE("paths are compared byte by byte, as they were sent", "[routes]") {
    asked_table asked;
    asked.table.add({method::get}, "/a", answer_with("a"));
    for (const char* other : {"/", "/A", "/a/", "/ab", "/%61", "/b/../a", "//a", "/?/a"}) {
        CAPTURE(other);
        CHECK(asked.ask(std::string("GET ") + other) == "404 404 Not Found\n");
    }
}

TEST_CASE("an unknown path is a 404, with any method and in an empty table", "[routes]") {
    asked_table asked;
    CHECK(asked.ask("GET /").starts_with("404 "));
    CHECK(asked.ask("OPTIONS /").starts_with("404 "));
    asked.table.add({method::get}, "/a", answer_with("a"));
    CHECK(asked.ask("POST /b").starts_with("404 "));
}

TEST_CASE("another method on a known path is a 405 that names those allowed", "[routes]") {
    asked_table asked;
    asked.table.add({method::get}, "/a", answer_with("a"))
        .add({method::post, method::put}, "/b", answer_with("b"))
        .add({method::get}, "/c", answer_with("c"))
        .add({method::delete_}, "/c", answer_with("c"));
    CHECK(asked.ask("POST /a") == "405 Allow: GET, HEAD, OPTIONS");
    CHECK(asked.ask("GET /b") == "405 Allow: POST, PUT, OPTIONS");
    CHECK(asked.ask("HEAD /b") == "405 Allow: POST, PUT, OPTIONS");
    CHECK(asked.ask("PUT /c") == "405 Allow: GET, HEAD, DELETE, OPTIONS");
}

TEST_CASE("OPTIONS tells what a path, or the server, can be asked (RFC 9110 9.3.7)", "[routes]") {
    asked_table asked;
    CHECK(asked.ask("OPTIONS *") == "204 Allow: OPTIONS");
    asked.table.add({method::get}, "/a", answer_with("a"))
        .add({method::put}, "/b/{c}", answer_with("b"))
        .add({method::options}, "/own", answer_with("own"));
    CHECK(asked.ask("OPTIONS /a") == "204 Allow: GET, HEAD, OPTIONS");
    CHECK(asked.ask("OPTIONS /b/x") == "204 Allow: PUT, OPTIONS");
    CHECK(asked.ask("OPTIONS *") == "204 Allow: GET, HEAD, PUT, OPTIONS");
    CHECK(asked.ask("OPTIONS /own") == "200 own");
    CHECK(asked.ask("OPTIONS /b") == "404 404 Not Found\n");
}

TEST_CASE("CONNECT is for proxies: 501 (RFC 9110 9.1)", "[routes]") {
    asked_table asked;
    asked.table.add_any_method("/*", answer_with("any"));
    CHECK(asked.ask("CONNECT h:80").starts_with("501 "));
}

TEST_CASE("HEAD goes where GET goes", "[routes]") {
    asked_table asked;
    asked.table.add({method::get}, "/a", answer_with("get a"));
    CHECK(asked.ask("HEAD /a") == "200 get a");
}

TEST_CASE("a route for HEAD alone answers HEAD and not GET", "[routes]") {
    asked_table asked;
    asked.table.add({method::head}, "/a", answer_with("head a"));
    CHECK(asked.ask("HEAD /a") == "200 head a");
    CHECK(asked.ask("GET /a") == "405 Allow: HEAD, OPTIONS");
}

TEST_CASE("of several routes that fit the first is taken", "[routes]") {
    asked_table asked;
    asked.table.add({method::get}, "/a", answer_with("first"))
        .add_any_method("/a", answer_with("second"));
    CHECK(asked.ask("GET /a") == "200 first");
    CHECK(asked.ask("HEAD /a") == "200 first");
    CHECK(asked.ask("POST /a") == "200 second");
}

TEST_CASE("a parameter is one segment, and a star is all the rest", "[routes]") {
    asked_table asked;
    const auto show = [](const request& asked_for) {
        std::string content;
        for (const char* name : {"id", "post", "*", "other"}) {
            content += std::string(asked_for.parameter(name).value_or("none")) + " ";
        }
        return make_ready_future<reply>(reply(status::ok, "text/plain", content));
    };
    asked.table.add({method::get}, "/users", show)
        .add({method::get}, "/users/{id}", show)
        .add({method::get}, "/users/{id}/posts/{post}", show)
        .add({method::get}, "/files/*", show)
        .add({method::get}, "/of/{id}/*", show);
    CHECK(asked.ask("GET /users") == "200 none none none none ");
    CHECK(asked.ask("GET /users/7") == "200 7 none none none ");
    CHECK(asked.ask("GET /users/a%2fb?id=3") == "200 a%2fb none none none ");
    CHECK(asked.ask("GET /users/7/posts/x") == "200 7 x none none ");
    CHECK(asked.ask("GET /files/") == "200 none none  none ");
    CHECK(asked.ask("GET /files/a/../b") == "200 none none a/../b none ");
    CHECK(asked.ask("GET /of/me/a/b") == "200 me none a/b none ");
    CHECK(asked.ask("POST /users/7") == "405 Allow: GET, HEAD, OPTIONS");
    for (const char* other : {"/users/", "/users/7/", "/users//posts/x", "/users/7/posts",
                              "/users/7/posts/x/", "/files", "/filesx/", "/of/me", "/of//a"}) {
        CAPTURE(other);
        CHECK(asked.ask(std::string("GET ") + other).starts_with("404 "));
    }
}

TEST_CASE("a pattern that means nothing is refused", "[routes]") {
    for (const char* wrong : {"/{", "/}", "/{}", "/a{b}", "/{a}b", "/{a}/{a}", "/{a{b}}", "/*/a",
                              "/a*", "/**", "{a}", "*", "a/*", "/{*}"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(route_pattern(wrong), std::invalid_argument);
    }
}

TEST_CASE("what a handler throws is a failed future", "[routes]") {
    asked_table asked;
    asked.table.add({method::get}, "/a",
                    [](const request&) -> future<reply> { throw std::runtime_error("oh"); });
    CHECK_THROWS_AS(asked.ask("GET /a"), std::runtime_error);
}
