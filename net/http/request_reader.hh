// Turns the pieces of a byte stream into whole requests.
#pragma once

#include <optional>
#include <string>

#include <miniss/core/assert.hh>
#include <miniss/core/buffer.hh>
#include <miniss/net/http/chunked_parser.hh>
#include <miniss/net/http/request.hh>
#include <miniss/net/http/request_parser.hh>

namespace miniss::http {

// Give it a piece with feed(), then call read() and consume() until read() wants more. Or call
// read_head() first, and then either read() for the content as a whole, or next_content() for one
// piece of it after the other.
//
// A request that came in one piece is read where it is; one that came in several is copied, so
// that a slow peer holds memory of its own and no receive buffers.
//
// Lifetime: the limits must outlive the reader.
// Cost:     no allocation for a request that came in one piece without chunks.
class request_reader {
    enum class stage : std::uint8_t { head, content, chunks, complete };

    // What only a request has that does not come in one piece, or that comes in chunks.
    struct collected {
        std::string head;     // As far as it came in earlier pieces.
        std::string content;  // If that did not come whole behind the head.
        chunked_parser chunks;
        std::string trailers;  // Their lines.
    };

    const limits& _limits;
    request_parser _parser;
    temporary_buffer<char> _piece;    // Received and not used yet.
    temporary_buffer<char> _current;  // Keeps the bytes that the current request refers to.
    std::string_view _content_view;
    std::optional<collected> _collected;
    std::uint64_t _streamed_bytes = 0;  // Of a content with a length.
    refusal _error;
    stage _stage = stage::head;

public:
    explicit request_reader(const limits& bounds) noexcept : _limits(bounds), _parser(bounds) {}

    // The next bytes. Only when read() found the last ones incomplete.
    void feed(temporary_buffer<char>&& piece) noexcept;

    parse_result read();
    parse_result read_head();

    // The next piece of content, as it came, in `to`, with result::data.
    using content_result = chunked_parser::result;
    content_result next_content(temporary_buffer<char>& to);

    // Once the head is there. Lifetime: until consume(). Before the content is complete as well,
    // only after hold_head().
    request current() const noexcept {
        MINISS_ASSERT(_stage != stage::head);
        request result(head_begin(), _parser.head(), _content_view);
        if (_collected) {
            result.set_trailer_section(_collected->trailers);
        }
        return result;
    }
    // Copies the head, so that its receive buffer need not wait for the rest of the request.
    void hold_head();
    // Goes on to what follows the current request.
    void consume() noexcept;

    // Once failed: what to answer. Where the next request begins is then unknown.
    const refusal& error() const noexcept { return _error; }

    // Of the current request, as soon as it is known; GET before.
    http::method method() const noexcept { return _parser.method(); }

    // Whether some of a request is here, but not all.
    bool has_begun() const noexcept { return _stage != stage::head || _parser.has_begun(); }
    // Whether it holds no byte at all, not even of an empty line before a request.
    bool is_untouched() const noexcept {
        return _stage == stage::head && !_collected && _piece.empty() && !_error;
    }
    // Whether its head is complete.
    bool has_head() const noexcept { return _stage != stage::head; }
    // Whether anything has come behind the current request.
    bool has_unread() const noexcept { return !_piece.empty(); }

    // Takes that: the connection leaves HTTP.
    temporary_buffer<char> take_unread() noexcept {
        return std::exchange(_piece, temporary_buffer<char>());
    }

    // Whether all of the current request is here, or was handed out.
    bool is_complete() const noexcept { return _stage == stage::complete; }
    // How much content is still to come, as far as the peer has said.
    std::uint64_t content_bytes_to_come() const noexcept {
        return _stage == stage::content ? _parser.head().content_length - _streamed_bytes : 0;
    }

    // Whether the peer waits for a 100 before it sends the content, of which nothing is here.
    bool awaits_continue() const noexcept;

private:
    collected& collect();
    parse_result collect_head();
    parse_result head_is_complete();
    parse_result read_content();
    parse_result read_chunks();
    content_result next_of_length(temporary_buffer<char>& to);
    chunked_parser::progress read_chunk();
    parse_result fail(const refusal& why) noexcept;

    // Whether the head is kept in _collected, and its receive buffer is not.
    bool holds_head() const noexcept { return _collected && !_collected->head.empty(); }
    const char* head_begin() const noexcept {
        return holds_head() ? _collected->head.data() : _current.get();
    }
};

}  // namespace miniss::http
