// Writes the heads of replies.
#include <miniss/net/http/reply.hh>

#include <charconv>
#include <cstring>
#include <utility>

#include <miniss/core/assert.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/field_check.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

// Everything in a head but the reason phrase, the content type and the lines that handlers add:
// with the longest of every part, what write_head() writes comes to fewer bytes.
constexpr std::size_t own_lines_bytes_max = 180;

// The size of a literal is a constant, which turns the copy into a few moves.
template <std::size_t Bytes>
char* put(char* to, const char (&text)[Bytes]) noexcept {
    std::memcpy(to, text, Bytes - 1);
    return to + (Bytes - 1);
}

char* put(char* to, std::string_view text) noexcept { return to + text.copy(to, text.size()); }

char* put_status_line(char* to, status code) noexcept {
    const auto number = static_cast<unsigned>(code);
    to = put(to, "HTTP/1.1 ");
    *to++ = static_cast<char>('0' + number / 100);
    *to++ = static_cast<char>('0' + number / 10 % 10);
    *to++ = static_cast<char>('0' + number % 10);
    *to++ = ' ';
    return put(to, reason_phrase(code));
}

}  // namespace

reply::reply(http::status code, literal content_type, std::string content)
    : _content(std::move(content)), _content_type(content_type), _status(code) {
    // A status code has three digits (RFC 9110 15).
    MINISS_ASSERT(static_cast<unsigned>(code) >= 100);
    MINISS_ASSERT(static_cast<unsigned>(code) <= 999);
}

reply reply::constant(http::status code, literal content_type, std::string_view content) {
    reply result(code, content_type, std::string());
    result._constant_content = content;
    return result;
}

reply reply::streamed(http::status code, literal content_type, content_function write) {
    reply result(code, content_type, std::string());
    result._stream = std::make_unique<streamed_content>();
    result._stream->write = std::move(write);
    return result;
}

reply reply::streamed(http::status code, literal content_type, std::uint64_t length,
                      content_function write) {
    reply result = streamed(code, content_type, std::move(write));
    result._stream->length = length;
    return result;
}

reply reply::switch_protocols(literal protocol, upgrade_function take_over) {
    reply result(http::status::switching_protocols);
    result.add_header("Upgrade", protocol.text());
    result._take_over = std::make_unique<upgrade_function>(std::move(take_over));
    return result;
}

reply& reply::add_header(std::string_view name, std::string_view value) {
    internal::append_checked_field(_header_lines, name, value);
    return *this;
}

std::optional<std::string_view> reply::header(std::string_view name) const noexcept {
    std::string_view rest = _header_lines;
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
        _header_lines.insert(static_cast<std::size_t>(tag->data() - _header_lines.data()), "W/");
    }
    add_header("Content-Encoding", coding.text());
    if (_stream != nullptr) {
        _stream->length.reset();
        _stream->encoder = std::move(encoder);
        return;
    }
    std::string encoded;
    encoder->encode(content(), encoded);
    encoder->finish(encoded);
    _content = std::move(encoded);
    _constant_content = {};
}

// A 205 has a length, but it must be zero (RFC 9110 15.3.6).
bool reply::streams_content(method asked) const noexcept {
    return _stream != nullptr && asked != method::head && !never_has_content(_status) &&
           _status != status::reset_content;
}

content_writer reply::make_writer(content_carrier& connection, const reply_context& context) const {
    return content_writer(connection, framing(context), _stream->length.value_or(0),
                          _stream->encoder.get());
}

content_framing reply::framing(const reply_context& context) const noexcept {
    if (!streams_content(method::get) || _stream->length) {
        return content_framing::length;
    }
    return context.minor_version == 0 ? content_framing::close : content_framing::chunked;
}

std::string_view reply::content_to_send(method asked) const noexcept {
    // A 205 has a length, but it must be zero (RFC 9110 15.3.6).
    if (asked == method::head || never_has_content(_status) || _status == status::reset_content) {
        return {};
    }
    return content();
}

temporary_buffer<char> reply::release_content_to_send(method asked) {
    const std::string_view sent = content_to_send(asked);
    if (sent.empty() || !_constant_content.empty()) {
        // Nobody writes to a buffer that is to be sent, and a constant text needs no owner.
        return temporary_buffer<char>(const_cast<char*>(sent.data()), sent.size(), nullptr);
    }
    return make_buffer(std::move(_content));
}

std::size_t reply::head_bytes_max() const noexcept {
    return own_lines_bytes_max + reason_phrase(_status).size() + _content_type.text().size() +
           _header_lines.size();
}

char* reply::write_head(char* to, const reply_context& context) const noexcept {
    MINISS_ASSERT(context.date.size() <= date_bytes);
    to = put_status_line(to, _status);
    to = put(to, "\r\nServer: miniss");
    if (!context.date.empty()) {
        to = put(put(to, "\r\nDate: "), context.date);
    }
    // Neither 1xx, 204 nor 304 describe content here (RFC 9110 8.6); HEAD describes what GET
    // would have sent.
    if (!never_has_content(_status)) {
        if (!_content_type.text().empty()) {
            to = put(put(to, "\r\nContent-Type: "), _content_type.text());
        }
        to = write_framing(to, context);
    }
    // 1.1 goes on and 1.0 ends unless one says otherwise (RFC 9112 9.3).
    if (_take_over != nullptr) {
        to = put(to, "\r\nConnection: Upgrade");
    } else if (!keeps_connection(context)) {
        to = put(to, "\r\nConnection: close");
    } else if (context.minor_version == 0) {
        to = put(to, "\r\nConnection: keep-alive");
    }
    to = put(put(to, "\r\n"), std::string_view(_header_lines));
    return put(to, "\r\n");
}

char* reply::write_framing(char* to, const reply_context& context) const noexcept {
    switch (framing(context)) {
    case content_framing::length: {
        const bool streamed = streams_content(method::get);
        to = put(to, "\r\nContent-Length: ");
        return std::to_chars(to, to + 20,
                             streamed ? *_stream->length : content_to_send(method::get).size())
            .ptr;
    }
    case content_framing::chunked:
        return put(to, "\r\nTransfer-Encoding: chunked");
    case content_framing::close:
        break;
    }
    return to;
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
