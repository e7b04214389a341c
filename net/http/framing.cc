// Reads the fields that decide where a message ends.
#include <miniss/net/http/framing.hh>

#include <charconv>

#include <miniss/net/http/text.hh>

namespace miniss::http::internal {

std::optional<std::uint64_t> parse_content_length(std::string_view value) noexcept {
    std::uint64_t length = 0;
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, length);
    if (error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return length;
}

refusal check_transfer_encoding(std::string_view value) noexcept {
    if (equals_ignoring_case(value, "chunked")) {
        return {};
    }
    const std::size_t comma = value.rfind(',');
    if (comma != std::string_view::npos &&
        equals_ignoring_case(trimmed(value.substr(comma + 1)), "chunked")) {
        bool chunked_twice = false;
        bool others = false;
        for_each_element(value.substr(0, comma), [&](std::string_view coding) {
            (equals_ignoring_case(coding, "chunked") ? chunked_twice : others) = true;
        });
        if (others && !chunked_twice) {
            return {status::not_implemented, "unknown transfer coding (RFC 9112 6.1)"};
        }
    }
    return {status::bad_request, "Transfer-Encoding is not chunked (RFC 9112 6.3)"};
}

refusal check_expect(std::string_view value, bool& expects_continue) noexcept {
    bool others = false;
    for_each_element(value, [&](std::string_view expectation) {
        (equals_ignoring_case(expectation, "100-continue") ? expects_continue : others) = true;
    });
    if (others) {
        return {status::expectation_failed, "unknown expectation (RFC 9110 10.1.1)"};
    }
    return {};
}

void connection_options::add(std::string_view value) noexcept {
    for_each_element(value, [this](std::string_view option) {
        close = close || is_named(option, "close");
        keep_alive = keep_alive || is_named(option, "keep-alive");
    });
}

}  // namespace miniss::http::internal
