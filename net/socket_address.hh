// Where a socket listens or connects to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace miniss {

// An IPv4, IPv6 or Unix address, or none.
class socket_address {
    sockaddr_storage _storage{};
    socklen_t _size_bytes = sizeof(sa_family_t);

public:
    // Unspecified: family() is AF_UNSPEC.
    socket_address() noexcept = default;
    socket_address(const sockaddr* address, socklen_t size_bytes) noexcept;

    // "127.0.0.1:80", "[::1]:80", "unix:/path". Numbers only: no names are looked up.
    // Throws std::invalid_argument with a text for the user.
    static socket_address parse(std::string_view text);

    const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&_storage); }
    socklen_t size() const noexcept { return _size_bytes; }
    int family() const noexcept { return _storage.ss_family; }
    bool is_unix() const noexcept { return family() == AF_UNIX; }

    // 0 for Unix addresses.
    std::uint16_t port() const noexcept;
    // The file of a Unix address; empty for others and for unnamed sockets.
    std::string path() const;

    // In the form that parse() takes.
    std::string to_string() const;
};

}  // namespace miniss
