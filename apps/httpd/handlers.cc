#include <miniss/apps/httpd/handlers.hh>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <miniss/net/http/query.hh>

namespace httpd {

using namespace miniss;
using http::method;
using http::reply;
using http::request;
using http::status;

namespace {

future<reply> ready(reply&& answer) { return make_ready_future<reply>(std::move(answer)); }

future<reply> text(std::string_view constant_text) {
    return ready(reply::constant(status::ok, "text/plain", constant_text));
}

future<reply> echo(const request& asked) {
    return ready(reply(status::ok, "application/octet-stream", std::string(asked.content)));
}

// A request with content is echoed, whatever its method; without, only GET and HEAD make sense.
future<reply> root(const request& asked) {
    if (asked.framing() != http::body_framing::none) {
        return echo(asked);
    }
    if (asked.method() == method::get || asked.method() == method::head) {
        return text("Hello, World!");
    }
    auto answer = asked.method() == method::options
                      ? reply(status::no_content)
                      : http::make_error_reply(status::method_not_allowed);
    return ready(std::move(answer.add_header("Allow", "GET, HEAD, OPTIONS")));
}

// Made anew for each request, as the TechEmpower rules want it.
future<reply> json(const request&) {
    std::string object;
    object.reserve(27);
    object += R"({"message":")";
    object += "Hello, World!";
    object += R"("})";
    return ready(reply(status::ok, "application/json", std::move(object)));
}

std::optional<std::int64_t> parse_number(std::string_view digits) {
    std::int64_t number = 0;
    const char* end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, number);
    if (error != std::errc() || stopped != end) {
        return std::nullopt;
    }
    return number;
}

// Adds up the query's values and, with POST, the number in the content.
future<reply> baseline(const request& asked) {
    std::int64_t sum = 0;
    const auto add = [&sum](std::string_view digits) {
        const auto number = parse_number(digits);
        return number.has_value() && !__builtin_add_overflow(sum, *number, &sum);
    };
    bool fine = true;
    for (const auto& pair : http::query_pairs(asked.query())) {
        fine = fine && add(pair.value);
    }
    if (asked.method() == method::post) {
        fine = fine && add(asked.content);
    }
    if (!fine) {
        return ready(http::make_error_reply(status::bad_request, "expected whole numbers"));
    }
    return ready(reply(status::ok, "text/plain", std::to_string(sum)));
}

}  // namespace

http::routes make_routes() {
    http::routes table;
    table.add_any_method("/", root);
    table.add({method::get}, "/plaintext", [](const request&) { return text("Hello, World!"); });
    table.add({method::get}, "/json", json);
    table.add({method::get}, "/pipeline", [](const request&) { return text("ok"); });
    table.add({method::get, method::post}, "/baseline11", baseline);
    table.add_any_method("/echo", echo);
    return table;
}

}  // namespace httpd
