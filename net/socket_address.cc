#include <miniss/net/socket_address.hh>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace miniss {

namespace {

constexpr std::string_view unix_prefix = "unix:";

[[noreturn]] void refuse(std::string_view text, const char* why) {
    throw std::invalid_argument("bad address '" + std::string(text) + "': " + why);
}

socket_address parse_unix(std::string_view text) {
    const std::string_view path = text.substr(unix_prefix.size());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path ||
        path.find('\0') != std::string_view::npos) {
        refuse(text, "a path of 1 to 107 bytes must follow unix:");
    }
    std::copy(path.begin(), path.end(), address.sun_path);
    return socket_address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

std::uint16_t parse_port(std::string_view text, std::string_view digits) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) {
        refuse(text, "the port must be a number from 0 to 65535");
    }
    return port;
}

template <typename SockAddr>
const SockAddr& as(const sockaddr* address) noexcept {
    return *reinterpret_cast<const SockAddr*>(address);
}

}  // namespace

socket_address::socket_address(const sockaddr* address, socklen_t size_bytes) noexcept
    : _size_bytes(std::min<socklen_t>(size_bytes, sizeof _storage)) {
    std::memcpy(&_storage, address, _size_bytes);
}

socket_address socket_address::parse(std::string_view text) {
    if (text.starts_with(unix_prefix)) {
        return parse_unix(text);
    }
    if (text.find('\0') != std::string_view::npos) {
        refuse(text, "it contains a NUL byte");
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        refuse(text, "expected ADDR:PORT, [ADDR6]:PORT or unix:/path");
    }
    const std::uint16_t port = parse_port(text, text.substr(colon + 1));
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        const std::string number(host.substr(1, host.size() - 2));
        if (::inet_pton(AF_INET6, number.c_str(), &address.sin6_addr) != 1) {
            refuse(text, "not an IPv6 address in the brackets");
        }
        return socket_address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, std::string(host).c_str(), &address.sin_addr) != 1) {
        refuse(text, "not an IPv4 address (an IPv6 address needs brackets)");
    }
    return socket_address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

std::uint16_t socket_address::port() const noexcept {
    switch (family()) {
    case AF_INET:
        return ntohs(as<sockaddr_in>(data()).sin_port);
    case AF_INET6:
        return ntohs(as<sockaddr_in6>(data()).sin6_port);
    default:
        return 0;
    }
}

std::string socket_address::path() const {
    constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
    if (!is_unix() || _size_bytes <= path_offset) {
        return {};
    }
    const char* path = as<sockaddr_un>(data()).sun_path;
    return std::string(path, ::strnlen(path, _size_bytes - path_offset));
}

std::string socket_address::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    switch (family()) {
    case AF_INET:
        ::inet_ntop(AF_INET, &as<sockaddr_in>(data()).sin_addr, text.data(), text.size());
        return std::string(text.data()).append(":").append(std::to_string(port()));
    case AF_INET6:
        ::inet_ntop(AF_INET6, &as<sockaddr_in6>(data()).sin6_addr, text.data(), text.size());
        return std::string("[").append(text.data()).append("]:").append(std::to_string(port()));
    case AF_UNIX:
        return std::string(unix_prefix).append(path());
    default:
        return "unspecified";
    }
}

}  // namespace miniss
