// Host and port, as they stand in a Host field and in request targets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace miniss::http::internal {

// Lifetime: `host` views the parsed text; an IPv6 address keeps its brackets.
struct authority {
    std::string_view host;
    std::optional<std::uint16_t> port;
};

// Reads uri-host [ ":" port ] (RFC 9110 7.2, RFC 3986 3.2). Nothing else may surround it: no user
// information (RFC 9110 4.2.4), no white space. The host must not be empty (RFC 9110 4.2.1), an
// empty port counts as none, and a bracketed host must be an IPv6 address.
std::optional<authority> parse_authority(std::string_view text) noexcept;

// Whether both name the same place; a missing port counts as `default_port` (RFC 9110 4.2.3).
bool is_same_authority(const authority& a, const authority& b, std::uint16_t default_port) noexcept;

}  // namespace miniss::http::internal
