// Socket addresses of the simulated network: IPv4, IPv6 and unix paths.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace miniss::sim {

class sim_address {
    sockaddr_storage _storage{};
    socklen_t _size_bytes = 0;

public:
    sim_address() noexcept = default;
    sim_address(const sockaddr* address, socklen_t size_bytes) noexcept;

    // 127.0.0.1 or ::1, port 0. For any other family only the family.
    static sim_address loopback(int family) noexcept;

    bool empty() const noexcept { return _size_bytes == 0; }
    int family() const noexcept { return _storage.ss_family; }
    bool is_internet() const noexcept { return family() == AF_INET || family() == AF_INET6; }

    // In host byte order; 0 for a unix path.
    std::uint16_t port() const noexcept;
    void set_port(std::uint16_t port) noexcept;

    // Whether a connection to `other` may arrive here: all zero means any address.
    bool covers(const sim_address& other) const noexcept;

    // As getsockname(2) does: at most *size_bytes, and tells how long it really is.
    void copy_to(sockaddr* address, socklen_t* size_bytes) const noexcept;

private:
    bool is_any() const noexcept;
    bool same_host(const sim_address& other) const noexcept;
};

}  // namespace miniss::sim
