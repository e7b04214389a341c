// The state machine that reads a request's head.
#include <miniss/net/http/request_parser.hh>

#include <algorithm>
#include <utility>

#include <miniss/core/assert.hh>
#include <miniss/net/http/authority.hh>
#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

using internal::byte_class;
using internal::is_blank;
using internal::is_digit;
using internal::skip;

// A connection that once sent more fields than this does not hold on to their memory.
constexpr std::size_t kept_field_count = 32;

text_span make_span(std::size_t begin, std::size_t end) noexcept {
    return {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)};
}

// The place of `part`, a piece of `whole`; nothing if it is empty.
text_span make_span(std::string_view whole, std::string_view part) noexcept {
    if (part.empty()) {
        return {};
    }
    const auto begin = static_cast<std::size_t>(part.data() - whole.data());
    return make_span(begin, begin + part.size());
}

// `lower` is made of letters and hyphens, `name` of token bytes: among these, setting one bit
// folds the case of letters and makes no other byte equal to one of them.
template <std::size_t Bytes>
bool is_named(const char* name, const char (&lower)[Bytes]) noexcept {
    for (std::size_t i = 0; i + 1 < Bytes; ++i) {
        if ((name[i] | 0x20) != lower[i]) {
            return false;
        }
    }
    return true;
}

}  // namespace

request_parser::request_parser(const limits& bounds) noexcept : _limits(&bounds) {
    MINISS_ASSERT(bounds.header_bytes <= header_bytes_max);
}

void request_parser::reset() noexcept {
    std::vector<header_span> fields = std::move(_head.fields);
    fields.clear();
    if (fields.capacity() > kept_field_count) {
        fields.shrink_to_fit();
    }
    _head = request_head();
    _head.fields = std::move(fields);
    _error = {};
    _position = 0;
    _token_begin = 0;
    _state = state::empty_line;
    _has_host = false;
}

std::size_t request_parser::head_bytes() const noexcept {
    MINISS_ASSERT(_state == state::complete);
    return _position;
}

const request_head& request_parser::head() const noexcept {
    MINISS_ASSERT(_state == state::complete);
    return _head;
}

parse_result request_parser::parse(std::string_view bytes) {
    MINISS_ASSERT(bytes.size() >= _position);
    if (_state < state::field_start) {
        const std::size_t limit = std::min(_limits->request_line_bytes, _limits->header_bytes);
        if (!read_request_line(bytes.substr(0, limit)) && _state != state::failed) {
            if (bytes.size() < limit) {
                return parse_result::incomplete;
            }
            fail(status::uri_too_long, "request line exceeds its limit (RFC 9112 3)");
        }
    }
    const std::string_view head = bytes.substr(0, _limits->header_bytes);
    while (_state < state::complete && read_field(head)) {}
    if (_state < state::complete) {
        if (bytes.size() < _limits->header_bytes) {
            return parse_result::incomplete;
        }
        fail(status::request_header_fields_too_large, "head exceeds its limit (RFC 6585 5)");
    }
    return _state == state::complete ? parse_result::complete : parse_result::failed;
}

// The steps are inline, because each has one caller: the compiler may make one function of them.
inline bool request_parser::read_request_line(std::string_view line) {
    switch (_state) {
    case state::empty_line:
        if (!skip_empty_line(line)) {
            return false;
        }
        [[fallthrough]];
    case state::method:
        if (!read_method(line)) {
            return false;
        }
        [[fallthrough]];
    case state::target:
        if (!read_target(line)) {
            return false;
        }
        [[fallthrough]];
    default:
        return read_version(line);
    }
}

inline bool request_parser::read_field(std::string_view head) {
    switch (_state) {
    case state::field_start:
        if (!begin_field(head)) {
            return false;
        }
        [[fallthrough]];
    case state::field_name:
        if (!read_field_name(head)) {
            return false;
        }
        [[fallthrough]];
    case state::value_start:
        if (!begin_value(head)) {
            return false;
        }
        [[fallthrough]];
    default:
        return read_value(head);
    }
}

bool request_parser::fail(status code, const char* rule) noexcept {
    return fail(refusal{code, rule});
}

bool request_parser::fail(const refusal& why) noexcept {
    _error = why;
    _state = state::failed;
    return false;
}

// Goes to `position`, where a token begins.
inline bool request_parser::advance(std::size_t position, state next) noexcept {
    _position = static_cast<std::uint16_t>(position);
    _token_begin = _position;
    _state = next;
    return true;
}

// The byte at _position is a CR.
inline bool request_parser::end_line(std::string_view bytes, state next) noexcept {
    const std::size_t feed = _position + std::size_t{1};
    if (feed == bytes.size()) {
        return false;
    }
    if (bytes[feed] != '\n') {
        return fail(status::bad_request, "CR without LF (RFC 9112 2.2)");
    }
    return advance(feed + 1, next);
}

// RFC 9112 2.2: one empty line before the request line is passed over, for old clients that
// append one to their content.
inline bool request_parser::skip_empty_line(std::string_view line) {
    if (line.empty()) {
        return false;
    }
    return line.front() == '\r' ? end_line(line, state::method) : advance(0, state::method);
}

inline bool request_parser::read_method(std::string_view line) {
    constexpr std::string_view usual = "GET ";
    if (_position == _token_begin && line.substr(_position).starts_with(usual)) {
        _head.method = method::get;
        return advance(_position + usual.size(), state::target);
    }
    const std::size_t end = skip<byte_class::token>(line, _position);
    const std::string_view name = line.substr(_token_begin, end - _token_begin);
    if (name.size() > method_name_bytes_max) {
        return fail(status::not_implemented, "unknown method (RFC 9110 9.1)");
    }
    _position = static_cast<std::uint16_t>(end);
    if (end == line.size()) {
        return false;
    }
    if (line[end] != ' ' || name.empty()) {
        return fail(status::bad_request, "malformed method (RFC 9112 3.1)");
    }
    const auto found = find_method(name);
    if (!found) {
        return fail(status::not_implemented, "unknown method (RFC 9110 9.1)");
    }
    _head.method = *found;
    return advance(end + 1, state::target);
}

inline bool request_parser::read_target(std::string_view line) {
    const std::size_t end = skip<byte_class::target>(line, _position);
    _position = static_cast<std::uint16_t>(end);
    if (end == line.size()) {
        return false;
    }
    if (line[end] != ' ') {
        return fail(status::bad_request, "byte not allowed in target (RFC 9112 3.2)");
    }
    internal::target_parts parts;
    const std::string_view target = line.substr(_token_begin, end - _token_begin);
    if (const refusal why = internal::parse_target(_head.method, target, parts)) {
        return fail(why);
    }
    _head.form = parts.form;
    _head.target = make_span(_token_begin, end);
    _head.host = make_span(line, parts.authority);
    _head.path = make_span(line, parts.path);
    _head.query = make_span(line, parts.query);
    return advance(end + 1, state::version);
}

inline bool request_parser::read_version(std::string_view line) {
    // Stays where it is until the version is there as a whole: these are few bytes.
    constexpr std::string_view usual = "HTTP/1.1\r\n";
    constexpr std::string_view pattern = "HTTP/d.d";
    if (line.substr(_position).starts_with(usual)) {
        return advance(_position + usual.size(), state::field_start);
    }
    const std::string_view version = line.substr(_position, pattern.size());
    for (std::size_t i = 0; i < version.size(); ++i) {
        if (pattern[i] == 'd' ? !is_digit(version[i]) : version[i] != pattern[i]) {
            return fail(status::bad_request, "malformed HTTP version (RFC 9112 2.3)");
        }
    }
    if (version.size() < pattern.size()) {
        return false;
    }
    if (version[5] != '1' || version[7] > '1') {
        return fail(status::http_version_not_supported, "not HTTP/1.0 or 1.1 (RFC 9110 15.6.6)");
    }
    const std::size_t end = _position + pattern.size();
    if (end == line.size()) {
        return false;
    }
    if (line[end] != '\r') {
        return fail(status::bad_request, "request line goes on after the version (RFC 9112 3)");
    }
    if (end + 1 == line.size()) {
        return false;
    }
    if (line[end + 1] != '\n') {
        return fail(status::bad_request, "CR without LF (RFC 9112 2.2)");
    }
    _head.minor_version = static_cast<std::uint8_t>(version[7] - '0');
    return advance(end + 2, state::field_start);
}

inline bool request_parser::begin_field(std::string_view head) {
    if (_position == head.size()) {
        return false;
    }
    if (head[_position] == '\r') {
        if (end_line(head, state::complete)) {
            finish();
        }
        return false;
    }
    if (_head.fields.size() == _limits->header_count) {
        return fail(status::request_header_fields_too_large, "too many fields (RFC 6585 5)");
    }
    return advance(_position, state::field_name);
}

inline bool request_parser::read_field_name(std::string_view head) {
    const std::size_t end = skip<byte_class::token>(head, _position);
    _position = static_cast<std::uint16_t>(end);
    if (end == head.size()) {
        return false;
    }
    if (is_blank(head[end])) {
        return fail(status::bad_request, "white space before or in a name (RFC 9112 5.1, 5.2)");
    }
    if (head[end] != ':' || end == _token_begin) {
        return fail(status::bad_request, "malformed field name (RFC 9110 5.1)");
    }
    _name = make_span(_token_begin, end);
    return advance(end + 1, state::value_start);
}

inline bool request_parser::begin_value(std::string_view head) {
    std::size_t begin = _position;
    while (begin < head.size() && is_blank(head[begin])) {
        ++begin;
    }
    _position = static_cast<std::uint16_t>(begin);
    return begin < head.size() && advance(begin, state::value);
}

inline bool request_parser::read_value(std::string_view head) {
    std::size_t end = internal::skip_value(head, _position);
    _position = static_cast<std::uint16_t>(end);
    if (end == head.size()) {
        return false;
    }
    if (head[end] != '\r') {
        return fail(status::bad_request, "control byte in a field value (RFC 9110 5.5)");
    }
    const std::size_t value_begin = _token_begin;
    if (!end_line(head, state::field_start)) {
        return false;
    }
    while (end > value_begin && is_blank(head[end - 1])) {
        --end;
    }
    return accept_field(head, {_name, make_span(value_begin, end)});
}

// The line was read; what it means to the parser itself.
inline bool request_parser::accept_field(std::string_view head, const header_span& field) {
    _head.fields.push_back(field);
    const char* name = head.data() + field.name.begin;
    const std::string_view value = field.value.in(head.data());
    switch (field.name.bytes) {
    case 4:
        return !is_named(name, "host") || accept_host(head, field.value);
    case 6:
        return !is_named(name, "expect") || accept_expect(value);
    case 10:
        if (is_named(name, "connection")) {
            _head.connection.add(value);
        }
        return true;
    case 14:
        return !is_named(name, "content-length") || accept_content_length(value);
    case 17:
        return !is_named(name, "transfer-encoding") || accept_transfer_encoding(value);
    default:
        return true;
    }
}

// An empty value is allowed (RFC 9112 3.2), unless the target names a host.
bool request_parser::accept_host(std::string_view head, text_span span) {
    if (_has_host) {
        return fail(status::bad_request, "more than one Host (RFC 9112 3.2)");
    }
    _has_host = true;
    const std::string_view value = span.in(head.data());
    const auto place = internal::parse_authority(value);
    if (!place && !value.empty()) {
        return fail(status::bad_request, "malformed Host (RFC 9112 3.2)");
    }
    if (_head.host.bytes == 0) {
        _head.host = span;
        return true;
    }
    // A URI of scheme http without a port means port 80 (RFC 9110 4.2.1).
    const auto target = internal::parse_authority(_head.host.in(head.data()));
    if (!place || !internal::is_same_authority(*place, *target, 80)) {
        return fail(status::bad_request, "target contradicts Host (RFC 9112 3.2.2)");
    }
    return true;
}

bool request_parser::accept_content_length(std::string_view value) {
    if (_head.framing == body_framing::length) {
        return fail(status::bad_request, "more than one Content-Length (RFC 9112 6.3)");
    }
    if (_head.framing == body_framing::chunked) {
        return fail(status::bad_request, "Content-Length and Transfer-Encoding (RFC 9112 6.3)");
    }
    const auto length = internal::parse_content_length(value);
    if (!length) {
        return fail(status::bad_request, "malformed Content-Length (RFC 9110 8.6)");
    }
    _head.framing = body_framing::length;
    _head.content_length = *length;
    return true;
}

bool request_parser::accept_transfer_encoding(std::string_view value) {
    if (_head.minor_version == 0) {
        return fail(status::bad_request, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)");
    }
    if (_head.framing == body_framing::length) {
        return fail(status::bad_request, "Content-Length and Transfer-Encoding (RFC 9112 6.3)");
    }
    if (_head.framing == body_framing::chunked) {
        return fail(status::bad_request, "more than one Transfer-Encoding (RFC 9112 6.3)");
    }
    if (const refusal why = internal::check_transfer_encoding(value)) {
        return fail(why);
    }
    _head.framing = body_framing::chunked;
    return true;
}

// In HTTP/1.0 the expectation must be ignored (RFC 9110 10.1.1).
bool request_parser::accept_expect(std::string_view value) {
    if (const refusal why = internal::check_expect(value)) {
        return fail(why);
    }
    _head.expects_continue = _head.minor_version == 1;
    return true;
}

void request_parser::finish() noexcept {
    if (_head.minor_version == 1 && !_has_host) {
        fail(status::bad_request, "no Host (RFC 9112 3.2)");
    } else if (_head.content_length > _limits->body_bytes) {
        fail(status::content_too_large, "content exceeds its limit (RFC 9110 15.5.14)");
    }
}

}  // namespace miniss::http
