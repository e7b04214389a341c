// The seam between a shard and the outside world: I/O, time, sleeping and waking.
//
// uring_backend.cc and epoll_backend.cc are the real world; tests/sim has a seeded, repeatable one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/socket.h>

#include <miniss/core/buffer.hh>
#include <miniss/core/pool_statistics.hh>

namespace miniss {

class file_buffer_pool;
struct file_request;

// The clocks of this project; what they say comes from a backend.
using steady_clock = std::chrono::steady_clock;
using system_clock = std::chrono::system_clock;

// What the kernel answered.
struct io_result {
    // A count of bytes, a file descriptor or 0; -errno if it failed.
    int value = 0;
    // The operation stays armed and will complete again.
    bool more = false;
    // The bytes of a receive_op.
    temporary_buffer<char> data;
};

// The operations. What they point to belongs to the backend until the last complete().

// Accepts connections, one for each completion, until it fails or is cancelled.
struct accept_op {
    int fd;
};
struct connect_op {
    int fd;
    const sockaddr* address;
    socklen_t address_bytes;
};
// Receives from a stream, one piece for each completion; 0 bytes: the peer has finished sending.
// Ends with that, with an error or when it is cancelled.
struct receive_op {
    int fd;
};
// Sends all the pieces of `message`, or completes with less when the connection broke in between.
struct send_op {
    int fd;
    const msghdr* message;
};
// Waits until `fd`, which need not be a socket, can be read without waiting.
struct readable_op {
    int fd;
};
// Waits until `fd` can be written without waiting.
struct writable_op {
    int fd;
};
// Makes a system call about files (core/file_request.hh), and completes with what it returns. If
// one is cancelled before the kernel has begun with it, it completes with -ECANCELED.
struct file_op {
    const file_request* request;
};
using io_op =
    std::variant<accept_op, connect_op, receive_op, send_op, readable_op, writable_op, file_op>;

// Someone who waits for one I/O operation.
//
// Lifetime: must stay alive, at the same address, until complete() was called with `more` false,
//           also after cancel(): until then the operation belongs to the kernel.
class io_completion {
public:
    // The backend's notes of what it was asked for.
    io_op submitted_op;
    bool under_way = false;
    bool cancel_asked = false;
    unsigned cancel_number = 0;

    // May submit and cancel operations, also its own again if `more` is false.
    virtual void complete(io_result&& result) noexcept = 0;

protected:
    ~io_completion() = default;
};

// A datagram on its way out. Without an address it goes to whom the socket is connected to.
struct outgoing_datagram {
    const sockaddr* to;
    socklen_t to_bytes;
    std::string_view data;
};

// A datagram that has come in.
struct received_datagram {
    sockaddr_storage from;
    socklen_t from_bytes;
    temporary_buffer<char> data;
    bool truncated;  // It was longer than the 64 KiB that fit.
};

// Socket calls that never wait, so that they need no completion. All give -errno when they fail.
class socket_calls {
public:
    virtual ~socket_calls() = default;
    virtual int open(int family, int type) noexcept = 0;
    // The file of a Unix socket on which nobody listens any more is replaced.
    virtual int bind(int fd, const sockaddr* address, socklen_t address_bytes) noexcept = 0;
    virtual int listen(int fd, int backlog) noexcept = 0;
    // One more connection that is waiting, or -EAGAIN. Only while no accept_op is armed.
    virtual int accept(int fd) noexcept = 0;
    virtual int set_option(int fd, int level, int name, int value) noexcept = 0;
    // SHUT_RD, SHUT_WR or SHUT_RDWR.
    virtual int shutdown(int fd, int how) noexcept = 0;
    virtual int local_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept = 0;
    virtual int remote_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept = 0;
    // Datagrams, many with one system call. How many were sent or received; -errno if the first one
    // failed already, and -EAGAIN if it would wait. What did not fit into memory (-ENOMEM) is lost.
    virtual int send_datagrams(int fd, std::span<const outgoing_datagram> out) noexcept = 0;
    virtual int receive_datagrams(int fd, std::span<received_datagram> into) noexcept = 0;
    // Moves at most `size_bytes` bytes of a file into a stream socket, if they are in memory. How
    // many went; -EAGAIN if the socket would wait, -ENODATA if they would have to be fetched first
    // or nobody can tell.
    virtual int send_file(int fd, int file, std::uint64_t offset,
                          std::size_t size_bytes) noexcept = 0;
    // Moves at most `size_bytes` bytes from a pipe, which has as many, into a stream socket. How
    // many went; -EAGAIN if it would wait.
    virtual int send_from_pipe(int fd, int pipe, std::size_t size_bytes) noexcept = 0;
    // No operation on `fd` may be under way.
    virtual void close(int fd) noexcept = 0;
};

// Shard: all calls but wake() on the shard's own thread.
class io_backend {
public:
    virtual ~io_backend() = default;

    // Queues `op`. Never waits and never completes inline.
    virtual void submit(const io_op& op, io_completion& waiter) noexcept = 0;

    // Asks for the early end of an operation. It completes all the same: with what it had reached,
    // or -ECANCELED. Nothing happens if it is complete already.
    virtual void cancel(io_completion& waiter) noexcept = 0;

    // The same for every operation that is under way: for a shard that stops.
    virtual void cancel_all() noexcept = 0;
    virtual std::size_t operations_in_flight() const noexcept = 0;

    // Hands queued operations to the kernel and runs completions. Never waits.
    // Returns true if anything was completed.
    virtual bool poll() noexcept = 0;

    // The same, but first waits for a completion, wake() or `deadline`, whichever is first.
    virtual void wait_until(steady_clock::time_point deadline) noexcept = 0;

    // Ends the current wait_until(), or else the next one. Any thread.
    virtual void wake() noexcept = 0;

    virtual steady_clock::time_point now() const noexcept = 0;
    // The time of day, as of the last tick of the kernel's clock (a few ms).
    virtual system_clock::time_point time_of_day() const noexcept = 0;

    virtual socket_calls& sockets() noexcept = 0;
    // Memory that the kernel knows, for direct I/O; null where there is none.
    virtual file_buffer_pool* file_buffers() noexcept { return nullptr; }
    // Of its buffers, as far as it has any.
    virtual std::vector<pool_statistics> pools() const { return {}; }

    // "io_uring", "epoll", …
    virtual const char* name() const noexcept = 0;
};

}  // namespace miniss
