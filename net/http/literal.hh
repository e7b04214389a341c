// A text that is known to be a field value, and to live for ever, when the program is compiled.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string_view>

#include <miniss/net/http/byte_class.hh>

namespace miniss::http {

// The longest literal, so that a reply's head has a bound.
inline constexpr std::size_t literal_bytes_max = 128;

// Constructed from string literals only; one with control bytes in it does not compile.
class literal {
    std::string_view _text;

public:
    constexpr literal() noexcept = default;

    template <std::size_t Bytes>
    consteval literal(const char (&text)[Bytes]) : _text(text, Bytes - 1) {
        if (Bytes - 1 > literal_bytes_max ||
            !internal::consists_of<internal::byte_class::value>(_text)) {
            throw std::invalid_argument("not a field value");
        }
    }

    constexpr std::string_view text() const noexcept { return _text; }
};

}  // namespace miniss::http
