// The state machine that reads chunked bodies.
#include <miniss/net/http/chunked_parser.hh>

#include <algorithm>

#include <miniss/net/http/byte_class.hh>

namespace miniss::http {
namespace {

using internal::byte_class;
using internal::is;
using internal::is_blank;

// As many digits as fill 64 bits; leading zeros count, so that a size cannot be endless.
constexpr unsigned size_digits_max = 16;

constexpr status too_large = status::request_header_fields_too_large;

}  // namespace

chunked_parser::progress chunked_parser::consume(std::string_view bytes) noexcept {
    std::size_t used = 0;
    while (_state < state::complete && used < bytes.size()) {
        if (_state == state::data) {
            const std::uint64_t there = bytes.size() - used;
            const auto piece = static_cast<std::size_t>(std::min(_chunk_bytes, there));
            _chunk_bytes -= piece;
            if (_chunk_bytes == 0) {
                _state = state::data_return;
            }
            return {result::data, used + piece, bytes.substr(used, piece)};
        }
        accept(bytes[used]);
        ++used;
    }
    if (_state == state::complete) {
        return {result::complete, used, {}};
    }
    return {_state == state::failed ? result::failed : result::incomplete, used, {}};
}

void chunked_parser::fail(status code, const char* rule) noexcept {
    _error = {code, rule};
    _state = state::failed;
}

void chunked_parser::fail_extension() noexcept {
    fail(status::bad_request, "malformed chunk extension (RFC 9112 7.1.1)");
}

void chunked_parser::accept(char c) noexcept {
    if (_state == state::size) {
        accept_in_size(c);
    } else if (_state < state::size_feed) {
        accept_in_extension(c);
    } else if (_state == state::size_feed) {
        accept_behind_size(c);
    } else if (_state < state::trailer_begin) {
        accept_behind_data(c);
    } else {
        accept_in_trailer(c);
    }
}

// chunk-size = 1*HEXDIG. No sign, no prefix, no white space before it or between it and the CR.
void chunked_parser::accept_in_size(char c) noexcept {
    const int digit = internal::hex_value(c);
    if (digit >= 0) {
        if (_digit_count == size_digits_max) {
            return fail(status::bad_request, "chunk size is too long (RFC 9112 7.1)");
        }
        ++_digit_count;
        _chunk_bytes = _chunk_bytes * 16 + static_cast<unsigned>(digit);
        return;
    }
    if (_digit_count == 0) {
        return fail(status::bad_request, "malformed chunk size (RFC 9112 7.1)");
    }
    if (c == '\r') {
        _state = state::size_feed;
        return;
    }
    _state = state::extension_end;
    accept_in_extension(c);
}

// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 7.1.1.
void chunked_parser::accept_in_extension(char c) noexcept {
    if (c != '\r' && ++_extension_bytes > _limits->chunk_extension_bytes) {
        return fail(status::content_too_large, "extensions exceed their limit (RFC 9112 7.1.1)");
    }
    const bool in_token = is(byte_class::token, c);
    switch (_state) {
    case state::extension_name_begin:
        if (in_token) {
            _state = state::extension_name;
        } else if (!is_blank(c)) {
            fail_extension();
        }
        return;
    case state::extension_value_begin:
        if (in_token) {
            _state = state::extension_value;
        } else if (c == '"') {
            _state = state::quoted;
        } else if (!is_blank(c)) {
            fail_extension();
        }
        return;
    case state::extension_name:
    case state::extension_value:
        if (!in_token) {
            accept_behind_token(c);
        }
        return;
    case state::quoted:
    case state::quoted_pair:
        return accept_in_quoted(c);
    default:
        return accept_behind_token(c);
    }
}

// White space is allowed before the next semicolon or equals sign only, not before the CR.
void chunked_parser::accept_behind_token(char c) noexcept {
    const bool behind_name = _state == state::extension_name || _state == state::extension_name_end;
    const bool behind_blank = _state == state::extension_name_end || _state == state::extension_end;
    if (c == ';') {
        _state = state::extension_name_begin;
    } else if (c == '=' && behind_name) {
        _state = state::extension_value_begin;
    } else if (is_blank(c)) {
        _state = behind_name ? state::extension_name_end : state::extension_end;
    } else if (c == '\r' && !behind_blank) {
        _state = state::size_feed;
    } else {
        fail_extension();
    }
}

// quoted-string (RFC 9110 5.6.4): value bytes, of which quote and backslash must be escaped.
void chunked_parser::accept_in_quoted(char c) noexcept {
    if (!is(byte_class::value, c)) {
        fail_extension();
    } else if (_state == state::quoted_pair) {
        _state = state::quoted;
    } else if (c == '"') {
        _state = state::quoted_end;
    } else if (c == '\\') {
        _state = state::quoted_pair;
    }
}

void chunked_parser::accept_behind_size(char c) noexcept {
    if (c != '\n') {
        return fail(status::bad_request, "CR without LF behind a chunk size (RFC 9112 7.1)");
    }
    if (_chunk_bytes > _limits->body_bytes - _body_bytes) {
        return fail(status::content_too_large, "content exceeds its limit (RFC 9110 15.5.14)");
    }
    _body_bytes += _chunk_bytes;
    _state = _chunk_bytes == 0 ? state::trailer_begin : state::data;
}

void chunked_parser::accept_behind_data(char c) noexcept {
    if (c != (_state == state::data_return ? '\r' : '\n')) {
        return fail(status::bad_request, "no line break behind chunk data (RFC 9112 7.1)");
    }
    if (_state == state::data_return) {
        _state = state::data_feed;
    } else {
        _state = state::size;
        _digit_count = 0;
    }
}

// The same field lines as in a head (RFC 9112 7.1.2). What they say is the reader's business.
void chunked_parser::accept_in_trailer(char c) noexcept {
    if (++_trailer_bytes > _limits->trailer_bytes) {
        return fail(too_large, "trailer section exceeds its limit (RFC 6585 5)");
    }
    switch (_state) {
    case state::trailer_begin:
        if (c == '\r') {
            _state = state::last_feed;
        } else if (!is(byte_class::token, c)) {
            fail(status::bad_request, "malformed trailer field name (RFC 9112 5)");
        } else if (++_trailer_count > _limits->header_count) {
            fail(too_large, "too many trailer fields (RFC 6585 5)");
        } else {
            _state = state::trailer_name;
        }
        return;
    case state::trailer_name:
        if (c == ':') {
            _state = state::trailer_value;
        } else if (!is(byte_class::token, c)) {
            fail(status::bad_request, "malformed trailer field name (RFC 9112 5)");
        }
        return;
    case state::trailer_value:
        if (c == '\r') {
            _state = state::trailer_feed;
        } else if (!is(byte_class::value, c)) {
            fail(status::bad_request, "control byte in a trailer field (RFC 9110 5.5)");
        }
        return;
    default:
        if (c != '\n') {
            return fail(status::bad_request, "CR without LF in a trailer (RFC 9112 2.2)");
        }
        _state = _state == state::trailer_feed ? state::trailer_begin : state::complete;
    }
}

}  // namespace miniss::http
