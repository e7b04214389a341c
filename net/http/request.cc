// Looks things up in a request.
#include <miniss/net/http/request.hh>

#include <miniss/net/http/text.hh>

namespace miniss::http {

std::optional<std::string_view> request::header(std::string_view name) const noexcept {
    for (const header_span& field : _head->fields) {
        // Most names differ in size already.
        if (field.name.bytes == name.size() &&
            internal::equals_ignoring_case(field.name.in(_begin), name)) {
            return field.value.in(_begin);
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> request::parameter(std::string_view name) const noexcept {
    return _route == nullptr ? std::nullopt : _route->find(path(), name);
}

// The parser has checked the lines: each has a colon and a line break.
std::vector<header_field> request::trailers() const {
    std::vector<header_field> fields;
    std::string_view rest = _trailer_section == nullptr ? std::string_view() : *_trailer_section;
    for (std::size_t end = rest.find('\r'); end != 0 && end != std::string_view::npos;
         end = rest.find('\r')) {
        const std::string_view line = rest.substr(0, end);
        const std::size_t colon = line.find(':');
        fields.push_back({line.substr(0, colon), internal::trimmed(line.substr(colon + 1))});
        rest.remove_prefix(end + 2);
    }
    return fields;
}

bool request::announces_content() const noexcept {
    return _head->framing == body_framing::chunked || _head->content_length > 0;
}

bool request::expects_continue() const noexcept {
    return _head->expects_continue && announces_content();
}

}  // namespace miniss::http
