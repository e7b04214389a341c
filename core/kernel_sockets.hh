// The socket calls of the real kernel.
#pragma once

#include <memory>

#include <miniss/core/io_backend.hh>

namespace miniss {

// Descriptors are close-on-exec. They are non-blocking if the backend calls recv() and send()
// itself, and blocking if it leaves all waiting to io_uring, which on a non-blocking descriptor
// would answer EAGAIN.
class kernel_sockets : public socket_calls {
    int _type_flags;
    bool _sockets_block;
    // Where datagrams arrive before their length is known. Made when the first is received.
    std::unique_ptr<char[]> _scratch;

public:
    // The longest datagram, and how many one system call takes.
    static constexpr std::size_t datagram_bytes_max = 64 * 1024;
    static constexpr std::size_t datagram_batch_max = 32;

    explicit kernel_sockets(bool non_blocking) noexcept;
    int open(int family, int type) noexcept override;
    int bind(int fd, const sockaddr* address, socklen_t address_bytes) noexcept override;
    int listen(int fd, int backlog) noexcept override;
    int accept(int fd) noexcept override;
    int set_option(int fd, int level, int name, int value) noexcept override;
    int shutdown(int fd, int how) noexcept override;
    int local_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept override;
    int remote_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept override;
    int send_datagrams(int fd, std::span<const outgoing_datagram> out) noexcept override;
    int receive_datagrams(int fd, std::span<received_datagram> into) noexcept override;
    int send_file(int fd, int file, std::uint64_t offset, std::size_t size_bytes) noexcept override;
    int send_from_pipe(int fd, int pipe, std::size_t size_bytes) noexcept override;
    void close(int fd) noexcept override;
};

// CLOCK_REALTIME_COARSE: no system call, and exact enough for a Date header.
system_clock::time_point kernel_time_of_day() noexcept;

}  // namespace miniss
