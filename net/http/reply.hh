// A response: status, fields and content, and the bytes of its head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <miniss/core/assert.hh>
#include <miniss/core/buffer.hh>
#include <miniss/core/task_memory.hh>
#include <miniss/net/http/content_coding.hh>
#include <miniss/net/http/content_writer.hh>
#include <miniss/net/http/literal.hh>
#include <miniss/net/http/method.hh>
#include <miniss/net/http/status.hh>
#include <miniss/net/http/upgrade.hh>

namespace miniss::http {

// What the head of a reply takes from the request and from the time of day. The defaults suit a
// request that could not be understood: answer and close.
//
// Lifetime: `date` must live until the call returns; see date_cache. Without it, no Date is sent.
struct reply_context {
    std::string_view date = {};
    http::method method = http::method::get;
    unsigned minor_version = 1;
    bool keep_alive = false;
};

// Sent ahead of the reply to a peer that waits before it sends its content.
inline constexpr std::string_view continue_head = "HTTP/1.1 100 Continue\r\n\r\n";

// Built by a handler; the server writes the head and sends the content behind it.
//
// Errors: std::invalid_argument where a field could not be sent as it is.
// Cost:   a constant text is not copied, and any other not once it is a std::string, unless that
//         is so short that it has no memory of its own.
class reply {
    // Everything in a head but the content type and the lines that handlers add: with the longest
    // of every part, what write_head() writes comes to fewer bytes.
    static constexpr std::size_t own_lines_bytes_max = 212;

    struct streamed_content {
        content_function write;
        std::optional<std::uint64_t> length;
        std::unique_ptr<content_encoder> encoder;
    };

    // What most replies do not have: a reply is moved from hand to hand, and this is not.
    struct extras : miniss::internal::in_task_memory {
        std::string header_lines;  // Complete lines, each with its line break.
        std::optional<streamed_content> stream;
        upgrade_function take_over;

        extras() noexcept {}  // So that making them does not clear all of them first.
    };

    temporary_buffer<char> _content;
    literal _content_type;
    std::unique_ptr<extras> _extras;
    http::status _status = status::ok;
    bool _excludes_content = false;  // The status does.
    bool _closes = false;

public:
    reply() = default;
    explicit reply(http::status code) noexcept : reply(code, literal(), temporary_buffer<char>()) {}
    reply(http::status code, literal content_type, std::string content);

    // Lifetime: `content` is not copied and must outlive the reply.
    static reply constant(http::status code, literal content_type, std::string_view content) {
        // Nobody writes to a buffer that is to be sent, and a constant text needs no owner.
        temporary_buffer<char> bytes(const_cast<char*>(content.data()), content.size(), nullptr);
        return reply(code, content_type, std::move(bytes));
    }

    // The content is made while it is sent: `write` is called once the head was written, unless
    // no content is to be sent. Without a length it goes out in chunks, or, to HTTP/1.0, up to the
    // end of the connection.
    static reply streamed(http::status code, literal content_type, content_function write);
    static reply streamed(http::status code, literal content_type, std::uint64_t length,
                          content_function write);

    // A 101: `take_over` then has the connection. Only in answer to a request that asks for it, see
    // asks_for_upgrade(), and whose content was read.
    static reply switch_protocols(literal protocol, upgrade_function take_over);

    http::status status() const noexcept { return _status; }

    // Appends a field line; the same name may come more than once. Refused are names that are no
    // tokens, values with control bytes (so that nobody can split the response), and the fields
    // that the server itself answers for: Connection, Content-Length, Date, Server and
    // Transfer-Encoding.
    reply& add_header(std::string_view name, std::string_view value);

    // The value of the first field of this name that add_header() has added.
    // Lifetime: until the next field.
    std::optional<std::string_view> header(std::string_view name) const noexcept;

    // Encodes the content, and that of a stream while it is made; a length that was announced for
    // it no longer holds. An entity tag becomes a weak one: it stands for both forms.
    void encode(literal coding, std::unique_ptr<content_encoder> encoder);

    // Whether content is to be sent in answer to GET.
    bool has_content() const noexcept {
        return streams_content(method::get) || !content_to_send(method::get).empty();
    }
    std::string_view content_type() const noexcept { return _content_type.text(); }

    // The connection is to be closed after this reply, whatever the request said.
    reply& close_connection() noexcept {
        _closes = true;
        return *this;
    }

    bool keeps_connection(const reply_context& context) const noexcept {
        return context.keep_alive && !_closes && framing(context) != content_framing::close;
    }

    // Whether a content_function is to be called behind the head, and what it writes to.
    bool streams_content(method asked) const noexcept {
        return _extras != nullptr && _extras->stream && sends_content(asked);
    }
    content_writer make_writer(content_carrier& connection, const reply_context& context) const;
    content_function& stream() noexcept { return _extras->stream->write; }

    // What takes the connection over, if anything does.
    upgrade_function* take_over() const noexcept {
        return _extras != nullptr && _extras->take_over ? &_extras->take_over : nullptr;
    }

    std::string_view content() const noexcept { return _content.view(); }

    // What to send behind the head: nothing in answer to HEAD, nor with a status that excludes it.
    std::string_view content_to_send(method asked) const noexcept {
        return sends_content(asked) ? content() : std::string_view();
    }

    // Takes the content out, so that it can be sent from where it is.
    temporary_buffer<char> release_content() noexcept { return std::move(_content); }

    // An upper bound of what write_head() writes.
    std::size_t head_bytes_max() const noexcept {
        return own_lines_bytes_max + _content_type.text().size() +
               (_extras != nullptr ? _extras->header_lines.size() : 0);
    }

    // Writes the head with its closing empty line and returns where it ends.
    char* write_head(char* to, const reply_context& context) const noexcept;
    // The same with content_to_send() behind it.
    char* write_whole(char* to, const reply_context& context) const noexcept;

private:
    // Inline, as what handlers say about a reply is constant nearly always.
    reply(http::status code, literal content_type, temporary_buffer<char>&& content) noexcept
        : _content(std::move(content)),
          _content_type(content_type),
          _status(code),
          // A 205 has a length, but it must be zero (RFC 9110 15.3.6).
          _excludes_content(never_has_content(code) || code == status::reset_content) {
        // A status code has three digits (RFC 9110 15).
        MINISS_ASSERT(static_cast<unsigned>(code) >= 100);
        MINISS_ASSERT(static_cast<unsigned>(code) <= 999);
    }
    extras& with_extras();

    bool sends_content(method asked) const noexcept {
        return asked != method::head && !_excludes_content;
    }

    content_framing framing(const reply_context& context) const noexcept {
        if (!streams_content(method::get) || _extras->stream->length) {
            return content_framing::length;
        }
        return context.minor_version == 0 ? content_framing::close : content_framing::chunked;
    }
    char* write_framing(char* to, const reply_context& context) const noexcept;
};

static_assert(std::is_nothrow_move_constructible_v<reply>);
static_assert(std::is_nothrow_move_assignable_v<reply>);

// A reply whose content names the status and, in a second line, the detail.
reply make_error_reply(status code, std::string_view detail = {});

}  // namespace miniss::http
