// The state machine that reads a request's head.
#include <miniss/net/http/request_parser.hh>

#include <algorithm>
#include <cstring>

#include <miniss/core/assert.hh>
#include <miniss/net/http/authority.hh>
#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

using internal::byte_class;
using internal::is_blank;
using internal::is_digit;
using internal::is_named;
using internal::skip;

constexpr const char* cr_without_lf = "CR without LF (RFC 9112 2.2)";
constexpr const char* several_hosts = "more than one Host (RFC 9112 3.2)";

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

}  // namespace

request_parser::request_parser(const limits& bounds) noexcept : _limits(&bounds) {
    MINISS_ASSERT(bounds.header_bytes <= header_bytes_max);
}

void request_parser::reset() noexcept {
    static constexpr head_summary nothing;
    static_cast<head_summary&>(_head) = nothing;
    _head.fields.clear();
    if (_head.fields.capacity() > kept_field_count) {
        release_fields();
    }
    _error = {};
    _position = 0;
    _token_begin = 0;
    _state = state::empty_line;
    _has_host = false;
}

[[gnu::noinline]] void request_parser::release_fields() noexcept { _head.fields.shrink_to_fit(); }

// Where the parser is. It lives in registers, and is kept only when there is nothing to go on with;
// therefore the steps below have to be inline.
struct request_parser::cursor {
    std::string_view text;
    std::size_t token_begin;
    std::size_t position;

    bool is_at_end() const noexcept { return position == text.size(); }
    char next() const noexcept { return text[position]; }
    std::string_view rest() const noexcept { return text.substr(position); }
    std::string_view token() const noexcept {
        return text.substr(token_begin, position - token_begin);
    }
    // Nothing of the token was read before.
    bool is_at_token() const noexcept { return position == token_begin; }

    // Whether `literal` comes next.
    template <std::size_t Bytes>
    bool sees(const char (&literal)[Bytes]) const noexcept {
        return text.size() - position >= Bytes - 1 &&
               std::memcmp(text.data() + position, literal, Bytes - 1) == 0;
    }

    // Goes to where the next token begins.
    bool advance(std::size_t bytes) noexcept {
        position += bytes;
        token_begin = position;
        return true;
    }
};

// Most heads are here as a whole: read() is compiled for these once more, with a constant state.
parse_result request_parser::parse(std::string_view bytes) {
    return _state == state::empty_line ? read_whole(bytes) : read_on(bytes);
}

[[gnu::noinline]] parse_result request_parser::read_whole(std::string_view bytes) {
    return read(bytes, {bytes, 0, 0}, state::empty_line);
}

[[gnu::noinline]] parse_result request_parser::read_on(std::string_view bytes) {
    MINISS_ASSERT(bytes.size() >= _position);
    return read(bytes, {bytes, _token_begin, _position}, _state);
}

[[gnu::always_inline]] inline parse_result request_parser::read(std::string_view bytes, cursor at,
                                                                state from) {
    if (from < state::field_start) {
        const std::size_t limit = std::min(_limits->request_line_bytes, _limits->header_bytes);
        at.text = bytes.substr(0, limit);
        if (!read_request_line(at, from)) {
            return stop(at, limit);
        }
        from = state::field_start;
    }
    at.text = bytes.substr(0, _limits->header_bytes);
    while (read_field(at, from)) {
        from = state::field_start;
    }
    return stop(at, _limits->header_bytes);
}

inline parse_result request_parser::stop(const cursor& at, std::size_t limit) noexcept {
    if (_state < state::complete && at.text.size() == limit) {
        fail_at_limit();
    }
    _position = static_cast<std::uint16_t>(at.position);
    _token_begin = static_cast<std::uint16_t>(at.token_begin);
    switch (_state) {
    case state::complete:
        return parse_result::complete;
    case state::failed:
        return parse_result::failed;
    default:
        return parse_result::incomplete;
    }
}

[[gnu::always_inline]] inline bool request_parser::read_request_line(cursor& at, state from) {
    switch (from) {
    case state::empty_line:
        if (!skip_empty_line(at)) {
            return false;
        }
        [[fallthrough]];
    case state::method:
        if (!read_method(at)) {
            return false;
        }
        [[fallthrough]];
    case state::target:
        if (!read_target(at)) {
            return false;
        }
        [[fallthrough]];
    default:
        return read_version(at);
    }
}

[[gnu::always_inline]] inline bool request_parser::read_field(cursor& at, state from) {
    switch (from) {
    case state::field_start:
        if (!begin_field(at)) {
            return false;
        }
        if (text_span host; read_usual_host(at, host)) {
            return accept_host(at.text, host);
        }
        [[fallthrough]];
    case state::field_name:
        if (!read_field_name(at)) {
            return false;
        }
        [[fallthrough]];
    case state::value:
        return read_value(at);
    default:
        return false;
    }
}

inline bool request_parser::pause_in(state current) noexcept {
    _state = current;
    return false;
}

[[gnu::cold, gnu::noinline]] bool request_parser::fail(const refusal& why) noexcept {
    _error = why;
    _state = state::failed;
    return false;
}

bool request_parser::fail(status code, const char* rule) noexcept {
    return fail(refusal{code, rule});
}

[[gnu::cold, gnu::noinline]] bool request_parser::fail_at_limit() noexcept {
    if (_state < state::field_start) {
        return fail(status::uri_too_long, "request line exceeds its limit (RFC 9112 3)");
    }
    return fail(status::request_header_fields_too_large, "head exceeds its limit (RFC 6585 5)");
}

// Where a line break must be; `rule` forbids what else there is.
[[gnu::always_inline]] inline bool request_parser::end_line(cursor& at, state current,
                                                            const char* rule) {
    if (at.sees("\r\n")) {
        return at.advance(2);
    }
    const std::string_view rest = at.rest();
    if (rest.empty() || rest == "\r") {
        return pause_in(current);
    }
    return fail(status::bad_request, rest.front() == '\r' ? cr_without_lf : rule);
}

// RFC 9112 2.2: one empty line before the request line is passed over, for old clients that
// append one to their content.
[[gnu::always_inline]] inline bool request_parser::skip_empty_line(cursor& at) {
    if (at.is_at_end() || at.next() == '\r') {
        return end_line(at, state::empty_line, cr_without_lf);
    }
    return true;
}

[[gnu::always_inline]] inline bool request_parser::read_method(cursor& at) {
    if (at.is_at_token() && at.sees("GET ")) {
        _head.method = method::get;
        return at.advance(4);
    }
    at.position = skip<byte_class::token>(at.text, at.position);
    const std::string_view name = at.token();
    if (name.size() > method_name_bytes_max) {
        return fail(status::not_implemented, "unknown method (RFC 9110 9.1)");
    }
    if (at.is_at_end()) {
        return pause_in(state::method);
    }
    if (at.next() != ' ' || name.empty()) {
        return fail(status::bad_request, "malformed method (RFC 9112 3.1)");
    }
    const auto found = find_method(name);
    if (!found) {
        return fail(status::not_implemented, "unknown method (RFC 9110 9.1)");
    }
    _head.method = *found;
    return at.advance(1);
}

[[gnu::always_inline]] inline bool request_parser::read_target(cursor& at) {
    const bool is_at_token = at.is_at_token();
    // Nearly always it is a plain path, perhaps with a query.
    const std::size_t path_end = skip<byte_class::path>(at.text, at.position);
    at.position = path_end;
    if (at.sees("?")) {
        at.position = skip<byte_class::target>(at.text, path_end);
    }
    if (is_at_token && at.sees(" ") && at.text[at.token_begin] == '/' &&
        _head.method != method::connect) {
        _head.target = make_span(at.token_begin, at.position);
        _head.path = make_span(at.token_begin, path_end);
        if (path_end != at.position) {
            _head.query = make_span(path_end + 1, at.position);
        }
        return at.advance(1);
    }
    at.position = skip<byte_class::target>(at.text, at.position);
    if (at.is_at_end()) {
        return pause_in(state::target);
    }
    if (at.next() != ' ') {
        return fail(status::bad_request, "byte not allowed in target (RFC 9112 3.2)");
    }
    internal::target_parts parts;
    if (const refusal why = internal::parse_target(_head.method, at.token(), parts)) {
        return fail(why);
    }
    _head.form = parts.form;
    _head.target = make_span(at.token_begin, at.position);
    _head.host = make_span(at.text, parts.authority);
    _head.path = make_span(at.text, parts.path);
    _head.query = make_span(at.text, parts.query);
    return at.advance(1);
}

[[gnu::always_inline]] inline bool request_parser::read_version(cursor& at) {
    if (at.sees("HTTP/1.1\r\n")) {
        return at.advance(10);
    }
    // Stays where it is until the version is there as a whole: these are few bytes.
    constexpr std::string_view pattern = "HTTP/d.d";
    const std::string_view version = at.rest().substr(0, pattern.size());
    for (std::size_t i = 0; i < version.size(); ++i) {
        if (pattern[i] == 'd' ? !is_digit(version[i]) : version[i] != pattern[i]) {
            return fail(status::bad_request, "malformed HTTP version (RFC 9112 2.3)");
        }
    }
    if (version.size() < pattern.size()) {
        return pause_in(state::version);
    }
    if (version[5] != '1' || version[7] > '1') {
        return fail(status::http_version_not_supported, "not HTTP/1.0 or 1.1 (RFC 9110 15.6.6)");
    }
    _head.minor_version = static_cast<std::uint8_t>(version[7] - '0');
    cursor behind = at;
    behind.position += version.size();
    if (!end_line(behind, state::version, "request line goes on after the version (RFC 9112 3)")) {
        return false;
    }
    at = behind;
    return true;
}

[[gnu::always_inline]] inline bool request_parser::begin_field(cursor& at) {
    if (at.is_at_end() || at.next() == '\r') {
        return end_line(at, state::field_start, cr_without_lf) && finish();
    }
    if (_head.fields.size() == _limits->header_count) {
        return fail(status::request_header_fields_too_large, "too many fields (RFC 6585 5)");
    }
    return true;
}

// What most heads have for a first field, in one go. It is left to the steps below if it is not
// here as a whole or if there is anything unusual about it.
[[gnu::always_inline]] inline bool request_parser::read_usual_host(cursor& at, text_span& value) {
    if (!at.sees("Host: ")) {
        return false;
    }
    cursor line = at;
    line.advance(6);
    line.position = _usual_host.skip(line.text, line.position);
    if (!line.sees("\r\n")) {
        return false;
    }
    value = make_span(line.token_begin, line.position);
    _head.fields.push_back({make_span(at.position, at.position + 4), value});
    at = line;
    return at.advance(2);
}

[[gnu::always_inline]] inline bool request_parser::read_field_name(cursor& at) {
    at.position = internal::skip_name(at.text, at.position);
    if (at.is_at_end()) {
        return pause_in(state::field_name);
    }
    const char c = at.next();
    if (c != ':' || at.is_at_token()) {
        return fail(status::bad_request, is_blank(c)
                                             ? "white space before or in a name (RFC 9112 5.1, 5.2)"
                                             : "malformed field name (RFC 9110 5.1)");
    }
    _head.fields.push_back({make_span(at.token_begin, at.position), {}});
    return at.advance(1);
}

[[gnu::always_inline]] inline bool request_parser::read_value(cursor& at) {
    at.position = internal::skip_value(at.text, at.position);
    std::size_t begin = at.token_begin;
    std::size_t end = at.position;
    if (!end_line(at, state::value, "control byte in a field value (RFC 9110 5.5)")) {
        return false;
    }
    while (begin < end && is_blank(at.text[begin])) {
        ++begin;
    }
    while (begin < end && is_blank(at.text[end - 1])) {
        --end;
    }
    header_span& field = _head.fields.back();
    field.value = make_span(begin, end);
    return accept_field(at.text, field);
}

// The line was read; what it means to the parser itself.
[[gnu::always_inline]] inline bool request_parser::accept_field(std::string_view head,
                                                                const header_span& field) {
    const std::string_view name = field.name.in(head.data());
    switch (name.size()) {
    case 4:
        if (!is_named(name, "host")) {
            return true;
        }
        if (internal::skip_authority(head, field.value.begin) != field.value.end()) {
            return fail(status::bad_request,
                        _has_host ? several_hosts : "malformed Host (RFC 9112 3.2)");
        }
        return accept_host(head, field.value);
    case 6:
    case 10:
    case 14:
    case 17:
        return accept_rare_field(name, field.value.in(head.data()));
    default:
        return true;
    }
}

// An empty value is allowed (RFC 9112 3.2), unless the target names a host.
[[gnu::always_inline]] inline bool request_parser::accept_host(std::string_view head,
                                                               text_span value) {
    if (_has_host) {
        return fail(status::bad_request, several_hosts);
    }
    _has_host = true;
    if (_head.host.bytes != 0) {
        return accept_host_beside_target(head, value);
    }
    _head.host = value;
    return true;
}

bool request_parser::finish() noexcept {
    if (_head.minor_version == 1 && !_has_host) {
        return fail(status::bad_request, "no Host (RFC 9112 3.2)");
    }
    if (_head.content_length > _limits->body_bytes) {
        return fail(status::content_too_large, "content exceeds its limit (RFC 9110 15.5.14)");
    }
    return pause_in(state::complete);
}

}  // namespace miniss::http
