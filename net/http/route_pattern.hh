// Which paths a route answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <miniss/net/http/text.hh>

namespace miniss::http {

// One of
//     /users              this path only
//     /users/{id}/posts   any one segment, not empty, where the braces are
//     /files/*            everything that begins with /files/
//
// Paths are compared byte by byte, as they were sent: still percent-encoded, with dot segments.
//
// Cost: a path without braces and star is one comparison; nothing allocates.
class route_pattern {
    std::string _text;
    bool _is_plain;

public:
    // Throws std::invalid_argument: a brace that does not enclose a whole segment, a name that is
    // empty or comes twice, a star that is not the last segment.
    explicit route_pattern(std::string text);

    bool matches(std::string_view path) const noexcept {
        return _is_plain ? internal::equals(path, _text) : match(path, {}).has_value();
    }

    // What `path`, which matches, has in place of {name}; with "*", what it has behind the prefix.
    // None if the pattern has no such name.
    std::optional<std::string_view> find(std::string_view path, std::string_view name) const {
        const auto found = match(path, name);
        return found && found->data() != nullptr ? found : std::nullopt;
    }

private:
    std::optional<std::string_view> match(std::string_view path,
                                          std::string_view name) const noexcept;
};

}  // namespace miniss::http
