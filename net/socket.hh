// Connected stream sockets: TCP and Unix.
#pragma once

#include <chrono>
#include <optional>

#include <miniss/core/iostream.hh>
#include <miniss/net/byte_stream.hh>
#include <miniss/net/socket_address.hh>
#include <miniss/net/stream_socket.hh>

namespace miniss {

class file;

// When to take a silent peer for gone: after `idle` without a byte the kernel sends a probe every
// `interval`, and after `count` of them without an answer the connection fails with ETIMEDOUT.
struct tcp_keepalive_params {
    std::chrono::seconds idle;
    std::chrono::seconds interval;
    unsigned count;
};

// One end of a connection.
//
// Lifetime: the connection is closed when the connected_socket and both of its streams are gone.
//           A peer that still sends then is answered with a reset.
// Shard:    belongs to the shard that accepted or connected it.
class connected_socket {
    internal::stream_socket_ref _socket;

public:
    connected_socket() noexcept = default;
    explicit connected_socket(internal::stream_socket_ref socket) noexcept
        : _socket(std::move(socket)) {}

    // The two directions. Ask once for each.
    input_stream<char> input();
    output_stream<char> output();
    // The same in one object, which keeps the connection. Ask for it instead of the two.
    std::unique_ptr<byte_stream> stream();

    // Sends small pieces at once (TCP_NODELAY). No effect on Unix sockets.
    void set_nodelay(bool nodelay);
    // Probes peers that are silent for long (SO_KEEPALIVE).
    void set_keepalive(bool keepalive);
    // When and how often (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). No effect on Unix sockets, or
    // where the kernel takes no such value: it wants 1 to 32767 seconds and 1 to 127 probes.
    void set_keepalive_parameters(const tcp_keepalive_params& parameters);

    // Sends a part of a file, whose bytes do not pass through the memory of the program. What was
    // written to the output must be flushed, and nothing written until the future is ready.
    //
    // Errors: std::system_error as for a write; EIO and so on of the file; ENODATA if it ends
    //         before the part does; EMFILE. The peer then has less than it was to get, so the
    //         output has ended.
    // Cost:   seven short system calls and one that does the work for up to 128 KiB that the kernel
    //         has in memory: files below 16 KiB or so are better read and written. What is not in
    //         memory is fetched elsewhere, which costs 20 µs for each 64 KiB beside what the disk
    //         takes.
    future<> send_file(const file& source, std::uint64_t offset, std::uint64_t size_bytes);

    // Tells the peer that nothing more will come. A write that waits fails with EPIPE.
    void shutdown_output() noexcept { _socket->end_output(); }
    // Receives no more; a read that waits fails with ECONNABORTED.
    void shutdown_input() noexcept { _socket->end_input(); }

    // A read that waits fails with ECANCELED; the stream goes on, and later reads lose nothing.
    // True if one waited; one whose bytes have just come does so no more.
    bool interrupt_input() noexcept { return _socket->interrupt_input(); }

    // Gives the descriptor away, for adopt_connection() on another shard: so a server whose load is
    // uneven can hand connections over. Only before its streams were asked for.
    int release() noexcept;

    socket_address local_address() const noexcept;
    socket_address remote_address() const noexcept;

    explicit operator bool() const noexcept { return static_cast<bool>(_socket); }
};

// Takes over the descriptor of a connection that another shard has accepted and released, or that
// came from elsewhere; in that case it must be non-blocking on epoll, and blocking on io_uring.
connected_socket adopt_connection(int fd);

// How a connection is made.
struct connect_options {
    // The kernel gives up by itself, but only after minutes.
    std::optional<std::chrono::milliseconds> timeout = {};
    // The address to come from; unspecified: the kernel chooses.
    socket_address local = {};
};

// Connects to `remote`.
// Errors: std::system_error ECONNREFUSED, ENETUNREACH, EMFILE, …; ETIMEDOUT, by the kernel or the
//         option; EADDRINUSE, EADDRNOTAVAIL and EINVAL of the local address.
future<connected_socket> connect(const socket_address& remote, const connect_options& options = {});

}  // namespace miniss
