// Matches paths against patterns, segment by segment.
#include <miniss/net/http/route_pattern.hh>

#include <stdexcept>
#include <vector>

namespace miniss::http {
namespace {

// Takes the first segment off `rest`, whose slash is gone already.
std::string_view take_segment(std::string_view& rest) noexcept {
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    return segment;
}

bool is_parameter(std::string_view segment) noexcept {
    return !segment.empty() && segment.front() == '{';
}

std::string_view name_of_parameter(std::string_view segment) noexcept {
    return segment.substr(1, segment.size() - 2);
}

void check_parameter(std::string_view segment, std::vector<std::string_view>& names) {
    const bool enclosed = segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
    const std::string_view name = enclosed ? name_of_parameter(segment) : std::string_view();
    if (name.empty() || name.find_first_of("{}*") != std::string_view::npos) {
        throw std::invalid_argument("route: malformed parameter " + std::string(segment));
    }
    for (const std::string_view other : names) {
        if (other == name) {
            throw std::invalid_argument("route: two parameters named " + std::string(name));
        }
    }
    names.push_back(name);
}

}  // namespace

route_pattern::route_pattern(std::string text)
    : _text(std::move(text)), _is_plain(_text.find_first_of("{}*") == std::string::npos) {
    if (_is_plain) {
        return;
    }
    std::vector<std::string_view> names;
    std::string_view rest = _text;
    while (!rest.empty() && rest.front() == '/') {
        rest.remove_prefix(1);
        const std::string_view segment = take_segment(rest);
        if (segment.find_first_of("{}") != std::string_view::npos) {
            check_parameter(segment, names);
        } else if (segment.find('*') != std::string_view::npos &&
                   (segment != "*" || !rest.empty())) {
            throw std::invalid_argument("route: a star must be the last segment of " + _text);
        }
    }
    if (!rest.empty()) {
        throw std::invalid_argument("route: a pattern begins with a slash, not like " + _text);
    }
}

// None if `path` does not match; else what stands for `name`, or a null text.
std::optional<std::string_view> route_pattern::match(std::string_view path,
                                                     std::string_view name) const noexcept {
    std::string_view found;
    std::string_view pattern = _text;
    while (!pattern.empty() && !path.empty() && path.front() == '/') {
        pattern.remove_prefix(1);
        path.remove_prefix(1);
        const std::string_view wanted = take_segment(pattern);
        if (wanted == "*") {
            return name == "*" ? path : found;
        }
        const std::string_view segment = take_segment(path);
        if (!is_parameter(wanted) ? segment != wanted : segment.empty()) {
            return std::nullopt;
        }
        if (is_parameter(wanted) && name_of_parameter(wanted) == name) {
            found = segment;
        }
    }
    return pattern.empty() && path.empty() ? std::optional(found) : std::nullopt;
}

}  // namespace miniss::http
