// Takes request targets apart.
#include <miniss/net/http/target.hh>

#include <miniss/net/http/authority.hh>
#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http::internal {
namespace {

// `text` is a path and perhaps a query; the path may be empty.
refusal split_path(std::string_view text, target_parts& parts) noexcept {
    std::size_t end = skip<byte_class::path>(text, 0);
    while (end < text.size() && text[end] != '?') {
        const bool escape = text[end] == '%' && text.size() - end >= 3 &&
                            hex_value(text[end + 1]) >= 0 && hex_value(text[end + 2]) >= 0;
        if (!escape) {
            return {status::bad_request, "malformed path (RFC 3986 3.3)"};
        }
        end = skip<byte_class::path>(text, end + 3);
    }
    parts.path = text.substr(0, end);
    if (end < text.size()) {
        parts.query = text.substr(end + 1);
    }
    return {};
}

refusal parse_absolute(std::string_view text, target_parts& parts) noexcept {
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos || !is_letter(text.front())) {
        return {status::bad_request, "target fits no form (RFC 9112 3.2)"};
    }
    if (!equals_ignoring_case(text.substr(0, colon), "http")) {
        return {status::misdirected_request, "scheme is not http (RFC 9110 7.4)"};
    }
    parts.form = target_form::absolute;
    const std::string_view rest = text.substr(colon + 3);
    const std::size_t end = rest.find_first_of("/?");
    parts.authority = rest.substr(0, end);
    if (!is_authority(parts.authority)) {
        return {status::bad_request, "malformed authority in target (RFC 9110 4.2.1)"};
    }
    return end == std::string_view::npos ? refusal() : split_path(rest.substr(end), parts);
}

}  // namespace

refusal parse_target(method verb, std::string_view text, target_parts& parts) noexcept {
    if (verb == method::connect) {
        parts.form = target_form::authority;
        parts.authority = text;
        const auto place = parse_authority(text);
        if (!place || !place->port) {
            return {status::bad_request, "CONNECT target is not host:port (RFC 9112 3.2.3)"};
        }
        return {};
    }
    if (!text.empty() && text.front() == '/') {
        return split_path(text, parts);
    }
    if (text == "*" && verb == method::options) {
        parts.form = target_form::asterisk;
        parts.path = text;
        return {};
    }
    return parse_absolute(text, parts);
}

}  // namespace miniss::http::internal
