// Checks hosts and ports.
#include <miniss/net/http/authority.hh>

#include <charconv>

#include <arpa/inet.h>

#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http::internal {
namespace {

bool is_ipv6_address(std::string_view text) noexcept {
    // inet_pton() wants a terminated text, and none of its texts is longer than this.
    char terminated[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) {
        return false;
    }
    text.copy(terminated, text.size());
    in6_addr parsed;
    return inet_pton(AF_INET6, terminated, &parsed) == 1;
}

constexpr std::string_view largest_port = "65535";

// `digits` are digits. None if they are no port's.
std::optional<std::uint16_t> read_port(std::string_view digits) noexcept {
    std::uint16_t port = 0;
    const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), port).ec;
    return error == std::errc() ? std::optional(port) : std::nullopt;
}

// `from` is a colon, and between it and `end` stand digits. They may begin with zeros.
[[gnu::noinline]] std::size_t skip_long_port(std::string_view text, std::size_t from,
                                             std::size_t end) noexcept {
    return read_port(text.substr(from + 1, end - from - 1)) ? end : from;
}

std::size_t skip_port(std::string_view text, std::size_t from) noexcept {
    if (from == text.size() || text[from] != ':') {
        return from;
    }
    const std::string_view digits = text.substr(from + 1);
    const std::size_t count = skip<byte_class::digit>(digits, 0);
    // Five digits that begin with less than the largest port does are less than that: nearly all
    // ports that a system chooses.
    if (count < largest_port.size() ||
        (count == largest_port.size() && digits.front() < largest_port.front())) [[likely]] {
        return from + 1 + count;
    }
    return skip_long_port(text, from, from + 1 + count);
}

[[gnu::noinline]] std::size_t skip_bracketed(std::string_view text, std::size_t from) noexcept {
    const std::size_t bracket = text.find(']', from);
    const bool is_host = bracket != std::string_view::npos &&
                         is_ipv6_address(text.substr(from + 1, bracket - from - 1));
    return is_host ? skip_port(text, bracket + 1) : from;
}

}  // namespace

std::size_t skip_authority(std::string_view text, std::size_t from) noexcept {
    if (from < text.size() && text[from] == '[') {
        return skip_bracketed(text, from);
    }
    std::size_t host_end = skip<byte_class::host>(text, from);
    while (text.size() - host_end >= 3 && text[host_end] == '%' &&
           hex_value(text[host_end + 1]) >= 0 && hex_value(text[host_end + 2]) >= 0) {
        host_end = skip<byte_class::host>(text, host_end + 3);
    }
    return host_end == from ? from : skip_port(text, host_end);
}

std::size_t repeated_authority::skip_another(std::string_view line, std::size_t from) noexcept {
    const std::size_t end = skip_authority(line, from);
    const std::string_view found = line.substr(from, end - from);
    if (!found.empty() && found.size() <= _last.size()) {
        found.copy(_last.data(), found.size());
        _last_bytes = static_cast<std::uint8_t>(found.size());
    }
    return end;
}

std::optional<authority> parse_authority(std::string_view text) noexcept {
    if (!is_authority(text)) {
        return std::nullopt;
    }
    const std::size_t colon = text.find(':', text.front() == '[' ? text.find(']') : 0);
    if (colon == std::string_view::npos) {
        return authority{text, std::nullopt};
    }
    return authority{text.substr(0, colon), read_port(text.substr(colon + 1))};
}

bool is_same_authority(const authority& a, const authority& b,
                       std::uint16_t default_port) noexcept {
    return equals_ignoring_case(a.host, b.host) &&
           a.port.value_or(default_port) == b.port.value_or(default_port);
}

}  // namespace miniss::http::internal
