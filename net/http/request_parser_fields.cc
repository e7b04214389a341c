// What fields mean to the parser that most requests do not have, or where they meet the target.
#include <miniss/net/http/authority.hh>
#include <miniss/net/http/request_parser.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {

using internal::is_named;

bool request_parser::accept_rare_field(std::string_view name, std::string_view value) {
    if (is_named(name, "connection")) {
        _head.connection.add(value);
        return true;
    }
    if (is_named(name, "content-length")) {
        return accept_content_length(value);
    }
    if (is_named(name, "transfer-encoding")) {
        return accept_transfer_encoding(value);
    }
    return !is_named(name, "expect") || accept_expect(value);
}

// Both must name the same place (RFC 9112 3.2.2), so that an empty value is refused.
bool request_parser::accept_host_beside_target(std::string_view head, text_span value) {
    // A URI of scheme http without a port means port 80 (RFC 9110 4.2.1).
    const auto place = internal::parse_authority(value.in(head.data()));
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
    bool expects_continue = false;
    if (const refusal why = internal::check_expect(value, expects_continue)) {
        return fail(why);
    }
    _head.expects_continue |= expects_continue && _head.minor_version == 1;
    return true;
}

}  // namespace miniss::http
