// Sockets that connections come in by.
#pragma once

#include <memory>

#include <miniss/core/future.hh>
#include <miniss/net/socket.hh>
#include <miniss/net/socket_address.hh>

namespace miniss {

struct listen_options {
    bool reuse_address = true;  // SO_REUSEADDR: a restart need not wait for old connections.
    // SO_REUSEPORT: several sockets, one for each shard, share the address, and the kernel
    // spreads the connections over them.
    bool reuse_port = false;
    // What is accepted sends small pieces at once. It inherits that, so it costs no system call,
    // which connected_socket::set_nodelay() does.
    bool nodelay = false;
    int backlog = 4096;  // The system's own limit (net.core.somaxconn) applies too.
};

namespace internal {
class accept_queue;
}

// Lifetime: accept() must not wait when it dies; see stop() and abort_accept().
// Shard:    belongs to the shard that made it.
class server_socket {
    struct deleter {
        void operator()(internal::accept_queue* queue) const noexcept;
    };
    std::unique_ptr<internal::accept_queue, deleter> _queue;

public:
    // Listens nowhere: there is nothing to stop, and nobody to accept.
    server_socket() noexcept = default;
    // Takes over a listening descriptor of this shard's backend.
    explicit server_socket(int fd);

    // The next connection. One call at a time.
    // Errors: std::system_error EMFILE, ENFILE, ENOBUFS, ENOMEM: no room just now, try again
    //         later; ECONNABORTED after stop() or abort_accept().
    future<connected_socket> accept();

    // Lets nobody in any more. Who was let in already, by the kernel too, still comes out of
    // accept(), which fails from then on.
    void stop() noexcept;

    // The same, but drops them. An accept() that waits fails.
    void abort_accept() noexcept;

    // Changes listen_options::nodelay for those that the kernel lets in from now on.
    void set_nodelay(bool nodelay);

    // With the port that the kernel chose, if it was asked for 0.
    socket_address local_address() const noexcept;

    // Another descriptor of the same socket, for another shard: Unix sockets cannot share an
    // address. Throws std::system_error.
    int duplicate() const;
};

// Finds out whether `local` is free, and which port the kernel gives for port 0, without keeping
// it: for servers that will listen with reuse_port on every shard, and would otherwise share the
// address, without a word, with another process of the same user.
// Throws std::system_error like listen().
socket_address probe_address(const socket_address& local);

// Throws std::system_error: EADDRINUSE, EACCES, EADDRNOTAVAIL, …
server_socket listen(const socket_address& local, const listen_options& options = {});

}  // namespace miniss
