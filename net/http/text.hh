// Small helpers for HTTP's ASCII texts: case, white space, comma-separated lists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <miniss/net/http/byte_class.hh>

namespace miniss::http::internal {

constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) {
            return false;
        }
    }
    return true;
}

// a == b, for short texts: comparing them takes less than calling memcmp() does.
inline bool equals(std::string_view a, std::string_view b) noexcept {
    constexpr std::size_t word_bytes = sizeof(std::uint64_t);
    if (a.size() != b.size()) {
        return false;
    }
    const auto has_word = [&](std::size_t at) {
        return std::memcmp(a.data() + at, b.data() + at, word_bytes) == 0;
    };
    std::size_t at = 0;
    if (a.size() >= word_bytes) {
        const std::size_t last = a.size() - word_bytes;  // May begin within the one before.
        while (at < last && has_word(at)) {
            at += word_bytes;
        }
        return at >= last && has_word(last);
    }
    while (at < a.size() && a[at] == b[at]) {
        ++at;
    }
    return at == a.size();
}

// Compares without case what stands in a field, as its name or in its value, with letters and
// hyphens: setting one bit folds letters, and else only makes a hyphen of CR, which stands in
// neither.
template <std::size_t Bytes>
bool is_named(std::string_view name, const char (&lower)[Bytes]) noexcept {
    if (name.size() != Bytes - 1) {
        return false;
    }
    char folded[Bytes - 1];
    for (std::size_t i = 0; i < sizeof folded; ++i) {
        folded[i] = static_cast<char>(name[i] | 0x20);
    }
    return std::memcmp(folded, lower, sizeof folded) == 0;
}

// Without the blanks at both ends.
constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

// Calls `visit` with each element of a comma-separated list, trimmed; empty ones are passed over
// (RFC 9110 5.6.1). For lists of tokens: a comma in a quoted string separates, too.
template <typename Visit>
constexpr void for_each_element(std::string_view list, Visit&& visit) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        const std::string_view element = trimmed(list.substr(0, comma));
        if (!element.empty()) {
            visit(element);
        }
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
}

}  // namespace miniss::http::internal
