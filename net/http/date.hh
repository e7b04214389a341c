// Dates as HTTP writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace miniss::http {

// The bytes of an IMF-fixdate (RFC 9110 5.6.7): Sun, 06 Nov 1994 08:49:37 GMT
inline constexpr std::size_t date_bytes = 29;

// Writes date_bytes bytes to `to`. `unix_seconds` must lie in the years 0 to 9999.
void write_date(char* to, std::int64_t unix_seconds) noexcept;

// Reads a date in any of the three forms of RFC 9110 5.6.7, as seconds of Unix time; none for what
// is no date. A year of two digits is taken for one at most 50 years ahead of `now`.
std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now) noexcept;

// Keeps the text of the current second, so that a date is made once a second only.
class date_cache {
    std::int64_t _unix_seconds = std::numeric_limits<std::int64_t>::min();
    std::array<char, date_bytes> _text{};

public:
    // Lifetime: the text is valid until the next call with another second.
    std::string_view at(std::int64_t unix_seconds) noexcept {
        if (unix_seconds != _unix_seconds) {
            write_date(_text.data(), unix_seconds);
            _unix_seconds = unix_seconds;
        }
        return {_text.data(), _text.size()};
    }
};

}  // namespace miniss::http
