// What a request's head says, as offsets into its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <miniss/net/http/framing.hh>
#include <miniss/net/http/method.hh>
#include <miniss/net/http/target.hh>

namespace miniss::http {

// A stretch of the head. An offset, because the bytes may move between two reads.
struct text_span {
    std::uint16_t begin = 0;
    std::uint16_t bytes = 0;

    std::size_t end() const noexcept { return std::size_t{begin} + bytes; }
    std::string_view in(const char* head_begin) const noexcept {
        return {head_begin + begin, bytes};
    }
};

// Where one field is.
struct header_span {
    text_span name;
    text_span value;
};

// What request_parser itself understands of a head.
struct head_summary {
    std::uint64_t content_length = 0;
    text_span target;
    text_span path;
    text_span query;
    // What names the host: the target's authority if it has one, else the Host field.
    text_span host;
    http::method method = http::method::get;
    target_form form = target_form::origin;
    body_framing framing = body_framing::none;
    std::uint8_t minor_version = 1;
    internal::connection_options connection;
    bool expects_continue = false;
};

// Filled by request_parser, read through `request`.
//
// Cost: 8 bytes a field, in a vector that is kept from one request to the next.
struct request_head : head_summary {
    std::vector<header_span> fields;
};

}  // namespace miniss::http
