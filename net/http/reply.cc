// Writes the heads of replies.
#include <miniss/net/http/reply.hh>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

#include <miniss/core/assert.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/field_check.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

// The size of a literal is a constant, which turns the copy into a few moves.
template <std::size_t Bytes>
char* put(char* to, const char (&text)[Bytes]) noexcept {
    std::memcpy(to, text, Bytes - 1);
    return to + (Bytes - 1);
}

// Most texts here are short, and calling memcpy() takes longer than to copy two words, which may
// overlap.
char* put(char* to, std::string_view text) noexcept {
    constexpr std::size_t word_bytes = sizeof(std::uint64_t);
    const std::size_t size_bytes = text.size();
    if (size_bytes < word_bytes || size_bytes > 2 * word_bytes) {
        return to + text.copy(to, size_bytes);
    }
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::memcpy(&first, text.data(), word_bytes);
    std::memcpy(&last, text.data() + size_bytes - word_bytes, word_bytes);
    std::memcpy(to, &first, word_bytes);
    std::memcpy(to + size_bytes - word_bytes, &last, word_bytes);
    return to + size_bytes;
}

// The status line, and the field that is the same in every reply.
char* put_first_lines(char* to, status code) noexcept {
    if (code == status::ok) {
        return put(to, "HTTP/1.1 200 OK\r\nServer: miniss");
    }
    const auto number = static_cast<unsigned>(code);
    to = put(to, "HTTP/1.1 ");
    *to++ = static_cast<char>('0' + number / 100);
    *to++ = static_cast<char>('0' + number / 10 % 10);
    *to++ = static_cast<char>('0' + number % 10);
    *to++ = ' ';
    to = put(to, reason_phrase(code));
    return put(to, "\r\nServer: miniss");
}

}  // namespace

reply::reply(http::status code, literal content_type, std::string content)
    : reply(code, content_type, make_buffer(std::move(content))) {}

reply reply::streamed(http::status code, literal content_type, content_function write) {
    MINISS_ASSERT(write);
    reply result(code, content_type, temporary_buffer<char>());
    result.with_extras().stream.emplace().write = std::move(write);
    return result;
}

reply reply::streamed(http::status code, literal content_type, std::uint64_t length,
                      content_function write) {
    reply result = streamed(code, content_type, std::move(write));
    result._extras->stream->length = length;
    return result;
}

reply reply::switch_protocols(literal protocol, upgrade_function take_over) {
    MINISS_ASSERT(take_over);
    reply result(http::status::switching_protocols);
    result.add_header("Upgrade", protocol.text());
    result._extras->take_over = std::move(take_over);
    return result;
}

reply::extras& reply::with_extras() {
    if (_extras == nullptr) {
        _extras = std::make_unique<extras>();
    }
    return *_extras;
}

reply& reply::add_header(std::string_view name, std::string_view value) {
    internal::append_checked_field(with_extras().header_lines, name, value);
    return *this;
}

std::optional<std::string_view> reply::header(std::string_view name) const noexcept {
    std::string_view rest;
    if (_extras != nullptr) {
        rest = _extras->header_lines;
    }
    while (!rest.empty()) {
        const std::size_t colon = rest.find(": ");
        const std::size_t end = rest.find("\r\n");
        if (internal::equals_ignoring_case(rest.substr(0, colon), name)) {
            return rest.substr(colon + 2, end - colon - 2);
        }
        rest.remove_prefix(end + 2);
    }
    return std::nullopt;
}

void reply::encode(literal coding, std::unique_ptr<content_encoder> encoder) {
    if (const auto tag = header("ETag"); tag && tag->starts_with('"')) {
        std::string& lines = _extras->header_lines;
        lines.insert(static_cast<std::size_t>(tag->data() - lines.data()), "W/");
    }
    add_header("Content-Encoding", coding.text());
    if (_extras->stream) {
        _extras->stream->length.reset();
        _extras->stream->encoder = std::move(encoder);
        return;
    }
    std::string encoded;
    encoder->encode(content(), encoded);
    encoder->finish(encoded);
    _content = make_buffer(std::move(encoded));
}

content_writer reply::make_writer(content_carrier& connection, const reply_context& context) const {
    return content_writer(connection, framing(context), _extras->stream->length.value_or(0),
                          _extras->stream->encoder.get());
}

inline char* reply::write_framing(char* to, const reply_context& context) const noexcept {
    switch (framing(context)) {
    case content_framing::length: {
        const bool streamed = streams_content(method::get);
        to = put(to, "\r\nContent-Length: ");
        return std::to_chars(
                   to, to + 20,
                   streamed ? *_extras->stream->length : content_to_send(method::get).size())
            .ptr;
    }
    case content_framing::chunked:
        return put(to, "\r\nTransfer-Encoding: chunked");
    case content_framing::close:
        break;
    }
    return to;
}

char* reply::write_head(char* to, const reply_context& context) const noexcept {
    to = put_first_lines(to, _status);
    if (!context.date.empty()) {
        MINISS_ASSERT(context.date.size() == date_bytes);
        to = put(to, "\r\nDate: ");
        std::memcpy(to, context.date.data(), date_bytes);
        to += date_bytes;
    }
    // Neither 1xx, 204 nor 304 describe content here (RFC 9110 8.6); HEAD describes what GET
    // would have sent.
    if (!never_has_content(_status)) {
        if (!content_type().empty()) {
            to = put(put(to, "\r\nContent-Type: "), content_type());
        }
        to = write_framing(to, context);
    }
    // 1.1 goes on and 1.0 ends unless one says otherwise (RFC 9112 9.3).
    if (take_over() != nullptr) {
        to = put(to, "\r\nConnection: Upgrade");
    } else if (!keeps_connection(context)) {
        to = put(to, "\r\nConnection: close");
    } else if (context.minor_version == 0) {
        to = put(to, "\r\nConnection: keep-alive");
    }
    to = put(to, "\r\n");
    if (_extras != nullptr) {
        to = put(to, std::string_view(_extras->header_lines));
    }
    return put(to, "\r\n");
}

char* reply::write_whole(char* to, const reply_context& context) const noexcept {
    return put(write_head(to, context), content_to_send(context.method));
}

reply make_error_reply(status code, std::string_view detail) {
    std::string content = std::to_string(static_cast<unsigned>(code));
    content.append(" ").append(reason_phrase(code)).append("\n");
    if (!detail.empty()) {
        content.append(detail).append("\n");
    }
    return reply(code, "text/plain", std::move(content));
}

}  // namespace miniss::http
