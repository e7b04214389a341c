// The key=value pairs of a query.
#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>

namespace miniss::http {

// Still encoded: see decode_form(). Without an equals sign, all is key and the value is empty.
struct query_pair {
    std::string_view key;
    std::string_view value;
};

// Iterates over the pairs between the ampersands of a query or of a form's content; empty ones
// are passed over:
//     for (const auto [key, value] : query_pairs(request.query())) …
//
// Lifetime: the text must stay in place while it is iterated over and while pairs are in use.
class query_pairs {
    std::string_view _text;

public:
    class iterator {
        std::string_view _rest;
        query_pair _pair;
        bool _ended = true;

    public:
        using value_type = query_pair;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using pointer = const query_pair*;
        using reference = const query_pair&;

        iterator() = default;
        explicit iterator(std::string_view text) noexcept : _rest(text) { ++*this; }

        const query_pair& operator*() const noexcept { return _pair; }
        iterator& operator++() noexcept;
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const iterator& other) const noexcept {
            return _ended == other._ended && _rest.size() == other._rest.size();
        }
    };

    explicit query_pairs(std::string_view text) noexcept : _text(text) {}

    iterator begin() const noexcept { return iterator(_text); }
    iterator end() const noexcept { return {}; }
};

}  // namespace miniss::http
