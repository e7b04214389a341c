#include <miniss/tests/sim/sim_address.hh>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <miniss/core/assert.hh>

namespace miniss::sim {

namespace {

template <typename T>
T as(const sockaddr_storage& storage) noexcept {
    T address;
    std::memcpy(&address, &storage, sizeof address);
    return address;
}

}  // namespace

sim_address::sim_address(const sockaddr* address, socklen_t size_bytes) noexcept
    : _size_bytes(size_bytes) {
    MINISS_ASSERT(size_bytes <= sizeof _storage);
    std::memcpy(&_storage, address, size_bytes);
}

sim_address sim_address::loopback(int family) noexcept {
    sim_address address;
    address._storage.ss_family = static_cast<sa_family_t>(family);
    address._size_bytes = sizeof(sa_family_t);
    if (family == AF_INET) {
        auto v4 = as<sockaddr_in>(address._storage);
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        std::memcpy(&address._storage, &v4, sizeof v4);
        address._size_bytes = sizeof v4;
    } else if (family == AF_INET6) {
        auto v6 = as<sockaddr_in6>(address._storage);
        v6.sin6_addr = in6addr_loopback;
        std::memcpy(&address._storage, &v6, sizeof v6);
        address._size_bytes = sizeof v6;
    }
    return address;
}

std::uint16_t sim_address::port() const noexcept {
    switch (family()) {
    case AF_INET:
        return ntohs(as<sockaddr_in>(_storage).sin_port);
    case AF_INET6:
        return ntohs(as<sockaddr_in6>(_storage).sin6_port);
    default:
        return 0;
    }
}

void sim_address::set_port(std::uint16_t port) noexcept {
    MINISS_ASSERT(is_internet());
    // Both kinds of internet address have it at the same place, right behind the family.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    const in_port_t network_order = htons(port);
    std::memcpy(reinterpret_cast<char*>(&_storage) + offsetof(sockaddr_in, sin_port),
                &network_order, sizeof network_order);
}

bool sim_address::covers(const sim_address& other) const noexcept {
    return family() == other.family() && port() == other.port() && (is_any() || same_host(other));
}

bool sim_address::is_any() const noexcept {
    switch (family()) {
    case AF_INET:
        return as<sockaddr_in>(_storage).sin_addr.s_addr == htonl(INADDR_ANY);
    case AF_INET6: {
        const auto v6 = as<sockaddr_in6>(_storage);
        return std::memcmp(&v6.sin6_addr, &in6addr_any, sizeof in6addr_any) == 0;
    }
    default:
        return false;
    }
}

bool sim_address::same_host(const sim_address& other) const noexcept {
    switch (family()) {
    case AF_INET:
        return as<sockaddr_in>(_storage).sin_addr.s_addr ==
               as<sockaddr_in>(other._storage).sin_addr.s_addr;
    case AF_INET6: {
        const auto mine = as<sockaddr_in6>(_storage);
        const auto theirs = as<sockaddr_in6>(other._storage);
        return std::memcmp(&mine.sin6_addr, &theirs.sin6_addr, sizeof mine.sin6_addr) == 0;
    }
    default:
        return _size_bytes == other._size_bytes &&
               std::memcmp(&_storage, &other._storage, _size_bytes) == 0;
    }
}

void sim_address::copy_to(sockaddr* address, socklen_t* size_bytes) const noexcept {
    std::memcpy(address, &_storage, std::min(*size_bytes, _size_bytes));
    *size_bytes = _size_bytes;
}

}  // namespace miniss::sim
