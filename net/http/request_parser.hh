// Reads the head of an HTTP/1 request: bytes in, offsets out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <miniss/core/assert.hh>
#include <miniss/net/http/authority.hh>
#include <miniss/net/http/limits.hh>
#include <miniss/net/http/refusal.hh>
#include <miniss/net/http/request_head.hh>

namespace miniss::http {

// An incremental parser that refuses what RFC 9110 and RFC 9112 do not allow and everything on
// which two readers might disagree; byte_class.hh and target.hh say what browsers send besides
// and is let through. It goes on where it stopped, so that a head in many pieces costs no more
// than a whole one, and what it says depends on the bytes alone, not on the cuts: a bad head is
// refused when its first impossible token is complete.
//
// Units:    offsets count from the first byte given, which may be an empty line to be skipped.
// Lifetime: the limits must outlive the parser. The bytes are not kept.
// Cost:     nothing is allocated but the field vector, which reset() keeps unless it is large.
class request_parser {
public:
    // bounds.header_bytes must not exceed header_bytes_max.
    explicit request_parser(const limits& bounds) noexcept;

    // `bytes` begins where the request begins and holds at least what it held in the last call;
    // the address may have changed. Once complete or failed, it says the same until reset().
    parse_result parse(std::string_view bytes);

    // Once complete: where the content, or the next request, begins.
    std::size_t head_bytes() const noexcept {
        MINISS_ASSERT(_state == state::complete);
        return _position;
    }

    // Once complete. Lifetime: until reset().
    const request_head& head() const noexcept {
        MINISS_ASSERT(_state == state::complete);
        return _head;
    }

    // Once failed: what to answer and why. Nothing behind the head can be trusted then.
    const refusal& error() const noexcept { return _error; }

    // As soon as it was read, also of a head that is refused further on; GET before.
    http::method method() const noexcept { return _head.method; }

    // Whether a byte of a request has arrived; an empty line before it does not count.
    bool has_begun() const noexcept { return _state > state::method || _position > _token_begin; }

    // Makes ready for the next request.
    void reset() noexcept;

private:
    // In the order in which they are passed through.
    enum class state : std::uint8_t {
        empty_line,
        method,
        target,
        version,
        field_start,
        field_name,
        value,
        complete,
        failed,
    };

    struct cursor;

    parse_result read_whole(std::string_view bytes);
    parse_result read_on(std::string_view bytes);
    parse_result read(std::string_view bytes, cursor at, state from);
    parse_result stop(const cursor& at, std::size_t limit) noexcept;

    // These read on. True: what they are named after was read. False: there is nothing to go on
    // with, because bytes are missing or because the verdict is there; _state says which.
    bool read_request_line(cursor& at, state from);
    bool skip_empty_line(cursor& at);
    bool read_method(cursor& at);
    bool read_target(cursor& at);
    bool read_version(cursor& at);
    bool read_field(cursor& at, state from);
    bool begin_field(cursor& at);
    bool read_usual_host(cursor& at, text_span& value);
    bool read_field_name(cursor& at);
    bool read_value(cursor& at);
    bool end_line(cursor& at, state current, const char* rule);

    bool accept_field(std::string_view head, const header_span& field);
    bool accept_rare_field(std::string_view name, std::string_view value);
    bool accept_host(std::string_view head, text_span value);
    bool accept_host_beside_target(std::string_view head, text_span value);
    bool accept_content_length(std::string_view value);
    bool accept_transfer_encoding(std::string_view value);
    bool accept_expect(std::string_view value);
    bool finish() noexcept;

    void release_fields() noexcept;
    bool pause_in(state current) noexcept;
    bool fail_at_limit() noexcept;
    bool fail(status code, const char* rule) noexcept;
    bool fail(const refusal& why) noexcept;

    const limits* _limits;
    request_head _head;
    refusal _error;
    internal::repeated_authority _usual_host;
    std::uint16_t _position = 0;
    std::uint16_t _token_begin = 0;
    state _state = state::empty_line;
    bool _has_host = false;
};

}  // namespace miniss::http
