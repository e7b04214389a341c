// Takes a chunked body apart: bytes in, pieces of content out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <miniss/net/http/limits.hh>
#include <miniss/net/http/refusal.hh>

namespace miniss::http {

// An incremental parser, as strict as request_parser. Chunk extensions and trailer fields must be
// well-formed and are bounded in bytes; extensions are dropped. Each byte is looked at once; what
// it says depends on the bytes alone, not on how they were cut into pieces.
//
// Lifetime: the limits must outlive the parser. It keeps no bytes.
// Cost:     nothing is allocated; content is not copied, not even looked at.
// Source:   RFC 9112 7.1.
class chunked_parser {
public:
    // What consume() came to.
    enum class result : std::uint8_t {
        data,        // `data` holds a piece of content; call again with what is behind `used`.
        incomplete,  // All bytes were used up.
        complete,    // The body and its trailers are over; behind `used` stands the next request.
        failed,      // See error().
    };

    // Lifetime: `data` views the bytes given to consume().
    struct progress {
        result what;
        std::size_t used;
        std::string_view data;
    };

    explicit chunked_parser(const limits& bounds) noexcept : _limits(&bounds) {}

    // Reads on behind what was used in the calls before, up to the next piece of content. Once
    // complete or failed, it uses nothing and says the same until reset().
    progress consume(std::string_view bytes) noexcept;

    // Once failed: what to answer and why.
    const refusal& error() const noexcept { return _error; }

    // The content announced so far, by chunks that are complete or have begun.
    std::uint64_t body_bytes() const noexcept { return _body_bytes; }

    // How many bytes of the trailer section were used so far, its closing empty line included.
    std::size_t trailer_bytes() const noexcept { return _trailer_bytes; }

    // Makes ready for the next body.
    void reset() noexcept { *this = chunked_parser(*_limits); }

private:
    enum class state : std::uint8_t {
        // chunk-size [ chunk-ext ] CRLF
        size,
        extension_end,
        extension_name_begin,
        extension_name,
        extension_name_end,
        extension_value_begin,
        extension_value,
        quoted,
        quoted_pair,
        quoted_end,
        size_feed,
        // chunk-data CRLF
        data,
        data_return,
        data_feed,
        // *( field-line CRLF ) CRLF
        trailer_begin,
        trailer_name,
        trailer_value,
        trailer_feed,
        last_feed,
        complete,
        failed,
    };

    // Each takes one byte.
    void accept(char c) noexcept;
    void accept_in_size(char c) noexcept;
    void accept_in_extension(char c) noexcept;
    void accept_behind_token(char c) noexcept;
    void accept_in_quoted(char c) noexcept;
    void accept_behind_size(char c) noexcept;
    void accept_behind_data(char c) noexcept;
    void accept_in_trailer(char c) noexcept;

    void fail(status code, const char* rule) noexcept;
    void fail_extension() noexcept;

    const limits* _limits;
    refusal _error;
    std::uint64_t _body_bytes = 0;
    // The size of the chunk while it is read, then what is left of the chunk.
    std::uint64_t _chunk_bytes = 0;
    std::size_t _extension_bytes = 0;
    std::size_t _trailer_bytes = 0;
    std::size_t _trailer_count = 0;
    unsigned _digit_count = 0;
    state _state = state::size;
};

}  // namespace miniss::http
