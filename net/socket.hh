// Connected stream sockets: TCP and Unix.
#pragma once

#include <miniss/core/iostream.hh>
#include <miniss/net/socket_address.hh>
#include <miniss/net/stream_socket.hh>

namespace miniss {

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

    // Sends small pieces at once (TCP_NODELAY). No effect on Unix sockets.
    void set_nodelay(bool nodelay);
    // Probes peers that are silent for long (SO_KEEPALIVE).
    void set_keepalive(bool keepalive);

    // Tells the peer that nothing more will come. A write that waits fails with EPIPE.
    void shutdown_output() noexcept { _socket->end_output(); }
    // Receives no more; a read that waits fails with ECONNABORTED.
    void shutdown_input() noexcept { _socket->end_input(); }

    // A read that waits fails with ECANCELED; the stream goes on, and later reads lose nothing.
    // True if one waited; one whose bytes have just come does so no more.
    bool interrupt_input() noexcept { return _socket->interrupt_input(); }

    socket_address local_address() const noexcept;
    socket_address remote_address() const noexcept;

    explicit operator bool() const noexcept { return static_cast<bool>(_socket); }
};

// Connects to `remote`.
// Errors: std::system_error ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EMFILE, …
future<connected_socket> connect(const socket_address& remote);

}  // namespace miniss
