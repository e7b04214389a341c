// The field values that decide where a message ends and how it is answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <miniss/net/http/refusal.hh>

namespace miniss::http {

// How the end of a request's content is found (RFC 9112 6.3).
enum class body_framing : std::uint8_t {
    none,
    length,
    chunked,
};

namespace internal {

// Reads a Content-Length. None for anything but decimal digits, lists of equal values included,
// which RFC 9110 8.6 leaves to the recipient, and for what does not fit into 64 bits.
std::optional<std::uint64_t> parse_content_length(std::string_view value) noexcept;

// Accepts exactly "chunked". Another coding below a final chunked is one that we do not
// implement: 501 (RFC 9112 6.1). Everything else has no determined end: 400 (RFC 9112 6.3).
refusal check_transfer_encoding(std::string_view value) noexcept;

// Accepts nothing but 100-continue (RFC 9110 10.1.1), and says whether the list has it: a list may
// be empty.
refusal check_expect(std::string_view value, bool& expects_continue) noexcept;

// The connection options that matter to a server (RFC 9110 7.6.1); others are passed over.
struct connection_options {
    bool close = false;
    bool keep_alive = false;

    void add(std::string_view value) noexcept;
};

}  // namespace internal
}  // namespace miniss::http
