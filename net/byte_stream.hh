// Both directions of a connection behind one interface, for what can run over more than sockets.
#pragma once

#include <memory>

#include <miniss/core/iostream.hh>
#include <miniss/net/socket_address.hh>

namespace miniss {

class connected_socket;

// The bytes of a connection: those of a socket (see connected_socket::stream()), or what a layer
// such as TLS makes of them, which owns the stream below it. Such a layer can do its handshake in
// the first get(); then all limits in time hold for that too.
//
// Lifetime: the connection is closed when it dies. No get() or put() may be under way then, unless
//           abort() came before.
// Shard:    that of the connection. One get() and one put() at a time.
class byte_stream : public data_sink {
public:
    // The next piece; an empty one at the end, and again if asked again.
    // Errors: std::system_error ECONNRESET, ETIMEDOUT; ECANCELED after interrupt_get();
    //         ECONNABORTED after abort().
    virtual future<temporary_buffer<char>> get() = 0;

    // A get() that waits fails with ECANCELED; the next one loses nothing. True if one waited.
    virtual bool interrupt_get() noexcept = 0;

    // Ends both directions at once: what waits fails, as does what comes later.
    virtual void abort() noexcept = 0;

    // Who is at the other end.
    virtual socket_address remote_address() const noexcept = 0;

    // The socket, if bytes go out over it just as they are put(): then files can be sent over it,
    // while no put() is under way. Else an empty one.
    virtual connected_socket bare_socket() const noexcept;
};

}  // namespace miniss
