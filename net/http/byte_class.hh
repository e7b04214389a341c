// The classes of bytes that HTTP's grammar is made of, in one table.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace miniss::http::internal {

// One bit each, so that one table of 256 bytes serves all classes.
enum class byte_class : std::uint8_t {
    // tchar (RFC 9110 5.6.2): methods, field names, list elements.
    token = 1,
    // What may stand in a field value: field-vchar, space and tab (RFC 9110 5.5).
    value = 2,
    // What may stand in a request target. Besides the characters of RFC 3986 these are those
    // that browsers send unescaped: [ ] ^ ` { | } and, in a query, the backslash. Fragments,
    // quotes, angle brackets, controls and bytes above 127 are not among them.
    target = 4,
    // The same without what a path must look at twice: ? % and the backslash.
    path = 8,
    // What may stand in a registered name (RFC 3986 3.2.2), the percent sign aside.
    host = 16,
    // What ports are made of.
    digit = 32,
};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// OWS and BWS are made of these two (RFC 9110 5.6.3).
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) noexcept {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

constexpr std::uint8_t classes_of(unsigned byte) noexcept {
    const char c = static_cast<char>(byte);
    const auto one_of = [c](std::string_view set) { return set.find(c) != std::string_view::npos; };
    const bool visible = byte > 0x20 && byte < 0x7f;
    const bool alphanumeric = visible && (is_digit(c) || is_letter(c));
    unsigned classes = 0;
    const auto add = [&classes](byte_class wanted, bool belongs) {
        classes |= belongs ? static_cast<unsigned>(wanted) : 0U;
    };
    add(byte_class::token, alphanumeric || (visible && one_of("!#$%&'*+-.^_`|~")));
    add(byte_class::value, visible || byte >= 0x80 || is_blank(c));
    add(byte_class::target, visible && !one_of("\"<>#"));
    add(byte_class::path, visible && !one_of("\"<>#?%\\"));
    add(byte_class::host, alphanumeric || (visible && one_of("-._~!$&'()*+,;=")));
    add(byte_class::digit, is_digit(c));
    return static_cast<std::uint8_t>(classes);
}

constexpr std::array<std::uint8_t, 256> make_byte_classes() noexcept {
    std::array<std::uint8_t, 256> table{};
    for (unsigned byte = 0; byte < table.size(); ++byte) {
        table[byte] = classes_of(byte);
    }
    return table;
}

inline constexpr std::array<std::uint8_t, 256> byte_classes = make_byte_classes();

constexpr bool is(byte_class wanted, char c) noexcept {
    return (byte_classes[static_cast<unsigned char>(c)] & static_cast<std::uint8_t>(wanted)) != 0;
}

// Returns the offset of the first byte from `from` on that is not of the class, or the size;
// `from` must not exceed the size.
template <byte_class Wanted>
constexpr std::size_t skip(std::string_view text, std::size_t from) noexcept {
    // Four steps to one look at the size: this is where the parser spends its time.
    while (from + 4 <= text.size()) {
        const char* next = text.data() + from;
        if (!is(Wanted, next[0])) {
            return from;
        }
        if (!is(Wanted, next[1])) {
            return from + 1;
        }
        if (!is(Wanted, next[2])) {
            return from + 2;
        }
        if (!is(Wanted, next[3])) {
            return from + 3;
        }
        from += 4;
    }
    while (from < text.size() && is(Wanted, text[from])) {
        ++from;
    }
    return from;
}

template <byte_class Wanted>
constexpr bool consists_of(std::string_view text) noexcept {
    return skip<Wanted>(text, 0) == text.size();
}

// Sixteen bytes in one register of any x86-64 or 64-bit ARM, and the compiler's business on any
// other little-endian machine.
using byte_block = unsigned char __attribute__((vector_size(16)));

inline byte_block load_block(const char* from) noexcept {
    byte_block block;
    std::memcpy(&block, from, sizeof block);
    return block;
}

// Each byte of `marks` is 0 or 0xff. Returns the offset of the first 0xff; their number if there is
// none.
inline std::size_t find_marked(byte_block marks) noexcept {
    using word_block = std::uint16_t __attribute__((vector_size(16)));
    using half_block = std::uint8_t __attribute__((vector_size(8)));
    static_assert(std::endian::native == std::endian::little);
    // Four bits of each byte go into one register.
    const auto bits = std::bit_cast<std::uint64_t>(
        __builtin_convertvector(std::bit_cast<word_block>(marks) >> 4, half_block));
    return static_cast<std::size_t>(std::countr_zero(bits)) / 4;
}

// skip<byte_class::value>() for long texts: sixteen bytes at a time.
inline std::size_t skip_value(std::string_view text, std::size_t from) noexcept {
    while (from + sizeof(byte_block) <= text.size()) {
        const byte_block block = load_block(text.data() + from);
        const std::size_t good = find_marked((block < 0x20) | (block == 0x7f));
        from += good;
        if (good == sizeof block) {
            continue;
        }
        if (text[from] != '\t') {
            return from;
        }
        ++from;
    }
    return skip<byte_class::value>(text, from);
}

// skip<byte_class::token>() for the names of fields: nearly all are letters and hyphens.
inline std::size_t skip_name(std::string_view text, std::size_t from) noexcept {
    while (from + sizeof(byte_block) <= text.size()) {
        const byte_block block = load_block(text.data() + from);
        const std::size_t good = find_marked(~(((block | 0x20) - 'a' < 26) | (block == '-')));
        from += good;
        if (good != sizeof block) {
            break;
        }
    }
    return skip<byte_class::token>(text, from);
}

}  // namespace miniss::http::internal
