// The request target in its four forms.
#pragma once

#include <cstdint>
#include <string_view>

#include <miniss/net/http/method.hh>
#include <miniss/net/http/refusal.hh>

namespace miniss::http {

// Source: RFC 9112 3.2.
enum class target_form : std::uint8_t {
    origin,     // /path?query
    absolute,   // http://host/path?query
    authority,  // host:port, with CONNECT only
    asterisk,   // *, with OPTIONS only
};

namespace internal {

// Lifetime: views the parsed text; a part that is missing is empty.
struct target_parts {
    target_form form = target_form::origin;
    std::string_view authority;
    std::string_view path;
    std::string_view query;
};

// Takes apart a target that consists of byte_class::target, and refuses
// - a form that the method does not go with, an empty target among them;
// - a path with a percent sign that does not escape a byte, or with a backslash, which some
//   readers take for a slash. Queries are left as they are: browsers send such ones;
// - an authority with user information (RFC 9110 4.2.4), without host or otherwise malformed;
// - schemes other than http: this server has no secured connections, and must then not answer
//   for https (RFC 9110 7.4).
refusal parse_target(method verb, std::string_view text, target_parts& parts) noexcept;

}  // namespace internal
}  // namespace miniss::http
