// Host and port, as they stand in a Host field and in request targets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <miniss/net/http/text.hh>

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

// Skips authorities as skip_authority() does, and one that comes again, as nearly everybody names a
// server alike, without looking at each byte of it.
class repeated_authority {
    std::array<char, 32> _last;
    std::uint8_t _last_bytes = 0;

public:
    repeated_authority() noexcept {}  // NOLINT: there is no last one.

    std::size_t skip(std::string_view line, std::size_t from) noexcept {
        const std::size_t end = from + _last_bytes;
        // No authority goes on with a CR.
        if (_last_bytes != 0 && end < line.size() && line[end] == '\r' &&
            equals(line.substr(from, _last_bytes), {_last.data(), _last_bytes})) [[likely]] {
            return end;
        }
        return skip_another(line, from);
    }

private:
    std::size_t skip_another(std::string_view line, std::size_t from) noexcept;
};

// Takes apart a text that is an authority as a whole. An empty port counts as none.
std::optional<authority> parse_authority(std::string_view text) noexcept;

// Whether both name the same place; a missing port counts as `default_port` (RFC 9110 4.2.3).
bool is_same_authority(const authority& a, const authority& b, std::uint16_t default_port) noexcept;

}  // namespace miniss::http::internal
