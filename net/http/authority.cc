// Checks hosts and ports.
#include <miniss/net/http/authority.hh>

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

// Returns the bytes of the host that `text` begins with; 0 if it begins with none.
std::size_t host_bytes(std::string_view text) noexcept {
    if (!text.empty() && text.front() == '[') {
        const std::size_t bracket = text.find(']');
        if (bracket == std::string_view::npos || !is_ipv6_address(text.substr(1, bracket - 1))) {
            return 0;
        }
        return bracket + 1;
    }
    std::size_t end = skip<byte_class::host>(text, 0);
    while (text.size() - end >= 3 && text[end] == '%' && hex_value(text[end + 1]) >= 0 &&
           hex_value(text[end + 2]) >= 0) {
        end = skip<byte_class::host>(text, end + 3);
    }
    return end;
}

}  // namespace

std::optional<authority> parse_authority(std::string_view text) noexcept {
    const std::size_t host_end = host_bytes(text);
    if (host_end == 0) {
        return std::nullopt;
    }
    authority result{text.substr(0, host_end), std::nullopt};
    if (host_end == text.size()) {
        return result;
    }
    if (text[host_end] != ':') {
        return std::nullopt;
    }
    const std::string_view digits = text.substr(host_end + 1);
    std::uint32_t port = 0;
    for (const char c : digits) {
        port = port * 10 + static_cast<std::uint32_t>(c - '0');
        if (!is_digit(c) || port > 65535) {
            return std::nullopt;
        }
    }
    if (!digits.empty()) {
        result.port = static_cast<std::uint16_t>(port);
    }
    return result;
}

bool is_same_authority(const authority& a, const authority& b,
                       std::uint16_t default_port) noexcept {
    return equals_ignoring_case(a.host, b.host) &&
           a.port.value_or(default_port) == b.port.value_or(default_port);
}

}  // namespace miniss::http::internal
