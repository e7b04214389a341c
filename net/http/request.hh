// A request, as a handler sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <miniss/net/http/request_head.hh>
#include <miniss/net/http/route_pattern.hh>

namespace miniss::http {

// One field line, without the blanks around the value.
struct header_field {
    std::string_view name;
    std::string_view value;
};

// The field lines of a head in the order in which they came.
class header_range {
    const char* _head_begin;
    const header_span* _first;
    const header_span* _last;

public:
    class iterator {
        const char* _head_begin = nullptr;
        const header_span* _at = nullptr;

    public:
        using value_type = header_field;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using pointer = void;
        using reference = header_field;

        iterator() = default;
        iterator(const char* head_begin, const header_span* at) noexcept
            : _head_begin(head_begin), _at(at) {}

        header_field operator*() const noexcept {
            return {_at->name.in(_head_begin), _at->value.in(_head_begin)};
        }
        iterator& operator++() noexcept {
            ++_at;
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++_at;
            return before;
        }
        bool operator==(const iterator& other) const noexcept { return _at == other._at; }
    };

    header_range(const char* head_begin, const request_head& head) noexcept
        : _head_begin(head_begin),
          _first(head.fields.data()),
          _last(head.fields.data() + head.fields.size()) {}

    iterator begin() const noexcept { return {_head_begin, _first}; }
    iterator end() const noexcept { return {_head_begin, _last}; }
    std::size_t size() const noexcept { return static_cast<std::size_t>(_last - _first); }
};

// Joins the offsets that request_parser found with the bytes that it found them in.
//
// Lifetime: a view of the parser's head, of the request's bytes and of its content; all of them
//           must stay in place as long as it, or a text that it returned, is in use.
// Cost:     nothing is copied; header() compares names one after the other.
class request {
    const char* _begin;
    const request_head* _head;
    const route_pattern* _route = nullptr;
    const std::string* _trailer_section = nullptr;

public:
    // The body, after chunks have been taken apart. Set by the server, unless it is streamed.
    std::string_view content;

    // `begin` is where the bytes begin that the parser was given.
    request(const char* begin, const request_head& head, std::string_view body = {}) noexcept
        : _begin(begin), _head(&head), content(body) {}

    // The server's notes: which route was taken, and where trailer fields are collected.
    void set_route(const route_pattern& route) noexcept { _route = &route; }
    void set_trailer_section(const std::string& lines) noexcept { _trailer_section = &lines; }

    http::method method() const noexcept { return _head->method; }
    unsigned minor_version() const noexcept { return _head->minor_version; }
    target_form form() const noexcept { return _head->form; }

    // As it was sent.
    std::string_view target() const noexcept { return _head->target.in(_begin); }

    // Still percent-encoded (see percent.hh), with dot segments, without the query. "/" if the
    // target names a host only, "*" in asterisk form, empty with CONNECT.
    std::string_view path() const noexcept {
        if (_head->form == target_form::absolute && _head->path.bytes == 0) {
            return "/";  // An empty path is the root (RFC 9110 4.2.3).
        }
        return _head->path.in(_begin);
    }

    // Still encoded (see query.hh), without the question mark.
    std::string_view query() const noexcept { return _head->query.in(_begin); }

    // Host and perhaps port, from the target or the Host field. Empty if neither names one.
    std::string_view host() const noexcept { return _head->host.in(_begin); }

    header_range headers() const noexcept { return {_begin, *_head}; }

    // The value of the first field of this name, whose case does not matter.
    std::optional<std::string_view> header(std::string_view name) const noexcept;

    // The part of the path that stands for {name} in the route that was taken, or, with "*", for
    // the star; still percent-encoded. None if the route has no such name.
    std::optional<std::string_view> parameter(std::string_view name) const noexcept;

    // The fields behind chunked content, in their order. What they say must not be taken for
    // header fields (RFC 9110 6.5.1). Streamed content must have been read to its end.
    std::vector<header_field> trailers() const;

    body_framing framing() const noexcept { return _head->framing; }

    // Meaningful with body_framing::length, else 0.
    std::uint64_t content_length() const noexcept { return _head->content_length; }

    // Whether content follows the head; it may still turn out empty if it comes in chunks.
    bool announces_content() const noexcept;

    // Whether the peer means to go on with this connection (RFC 9112 9.3).
    bool keep_alive() const noexcept {
        return !_head->connection.close &&
               (_head->minor_version == 1 || _head->connection.keep_alive);
    }

    // Whether the peer waits for a 100 before it sends the content (RFC 9110 10.1.1).
    bool expects_continue() const noexcept;
};

}  // namespace miniss::http
