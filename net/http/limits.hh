// What a server takes in before it refuses a request.
#pragma once

#include <cstddef>
#include <cstdint>

namespace miniss::http {

// The parsers keep 16-bit offsets into a head, which bounds limits::header_bytes.
inline constexpr std::size_t header_bytes_max = 65535;

// Each bound is the largest size that is still accepted.
struct limits {
    // The request line with its line break and with an empty line before it. Beyond: 414.
    std::size_t request_line_bytes = 8192;

    // The whole head, from the request line to the empty line. At most header_bytes_max.
    // Beyond: 431, or 414 while the request line is not complete.
    std::size_t header_bytes = 32768;

    // Header fields of the head, and again trailer fields after a chunked body. Beyond: 431.
    std::size_t header_count = 100;

    // The content, after chunks have been taken apart. Beyond: 413.
    std::uint64_t body_bytes = 1024 * 1024;

    // All chunk extensions of one body together. Beyond: 413.
    std::size_t chunk_extension_bytes = 4096;

    // The trailer section of a chunked body with its closing empty line. Beyond: 431.
    std::size_t trailer_bytes = 8192;
};

}  // namespace miniss::http
