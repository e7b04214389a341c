// Host and port, as they stand in a Host field and in request targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace miniss::http::internal {

// Lifetime: `host` views the parsed text; an IPv6 address keeps its brackets.
struct authority {
    std::string_view host;
    std::optional<std::uint16_t> port;
};

// Returns where the uri-host [ ":" port ] (RFC 9110 7.2, RFC 3986 3.2) that begins at `from` ends;
// `from` if there is none. The host must not be empty (RFC 9110 4.2.1), and a bracketed one must be
// an IPv6 address. User information (RFC 9110 4.2.4) and white space belong to none.
std::size_t skip_authority(std::string_view text, std::size_t from) noexcept;

inline bool is_authority(std::string_view text) noexcept {
    return !text.empty() && skip_authority(text, 0) == text.size();
}

// Takes apart a text that is an authority as a whole. An empty port counts as none.
std::optional<authority> parse_authority(std::string_view text) noexcept;

// Whether both name the same place; a missing port counts as `default_port` (RFC 9110 4.2.3).
bool is_same_authority(const authority& a, const authority& b, std::uint16_t default_port) noexcept;

}  // namespace miniss::http::internal
