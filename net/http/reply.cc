// Writes the heads of replies.
#include <miniss/net/http/reply.hh>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <miniss/core/assert.hh>
#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

using internal::byte_class;
using internal::consists_of;

// Everything in a head but the lines that handlers add: with the longest of every part, the lines
// that write_head() writes come to fewer bytes.
constexpr std::size_t own_lines_bytes_max = 200 + reason_phrase_bytes_max + literal_bytes_max;

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

bool is_written_by_server(std::string_view name) noexcept {
    constexpr std::string_view names[] = {
        "Connection", "Content-Length", "Date", "Server", "Transfer-Encoding",
    };
    return std::any_of(std::begin(names), std::end(names), [name](std::string_view own) {
        return internal::equals_ignoring_case(name, own);
    });
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

reply& reply::add_header(std::string_view name, std::string_view value) {
    if (name.empty() || !consists_of<byte_class::token>(name)) {
        throw std::invalid_argument("reply: malformed field name");
    }
    if (!consists_of<byte_class::value>(value)) {
        throw std::invalid_argument("reply: control byte in the value of field " +
                                    std::string(name));
    }
    if (is_written_by_server(name)) {
        throw std::invalid_argument("reply: the server itself writes field " + std::string(name));
    }
    _header_lines.append(name).append(": ").append(value).append("\r\n");
    return *this;
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
    return own_lines_bytes_max + _header_lines.size();
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
        to = put(to, "\r\nContent-Length: ");
        to = std::to_chars(to, to + 20, content_to_send(method::get).size()).ptr;
    }
    // 1.1 goes on and 1.0 ends unless one says otherwise (RFC 9112 9.3).
    if (!keeps_connection(context)) {
        to = put(to, "\r\nConnection: close");
    } else if (context.minor_version == 0) {
        to = put(to, "\r\nConnection: keep-alive");
    }
    to = put(put(to, "\r\n"), std::string_view(_header_lines));
    return put(to, "\r\n");
}

void reply::append_head(std::string& out, const reply_context& context) const {
    const std::size_t before = out.size();
    out.resize(before + head_bytes_max());
    const char* end = write_head(out.data() + before, context);
    out.resize(static_cast<std::size_t>(end - out.data()));
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
