// Datagrams: UDP, and Unix sockets that keep the bounds of messages.
#pragma once

#include <memory>
#include <string_view>

#include <miniss/core/buffer.hh>
#include <miniss/core/future.hh>
#include <miniss/net/socket_address.hh>

namespace miniss {

// One message, and who sent it.
class datagram {
    socket_address _source;
    temporary_buffer<char> _data;
    bool _truncated;

public:
    datagram(const socket_address& source, temporary_buffer<char> data, bool truncated) noexcept
        : _source(source), _data(std::move(data)), _truncated(truncated) {}

    const socket_address& get_src() const noexcept { return _source; }
    temporary_buffer<char>& get_data() noexcept { return _data; }
    // It was longer than 64 KiB, as only those of Unix sockets can be, and its end is lost.
    bool truncated() const noexcept { return _truncated; }
};

namespace internal {
class datagram_socket;
}

// Sends and receives datagrams, any of which the network may lose, double or reorder.
//
// What is sent in one turn of the shard leaves together, and what has arrived is taken together:
// a system call moves up to 32 datagrams.
//
// Lifetime: receive() must not wait when it dies; see shutdown_input(). Sends that wait then fail.
// Shard:    belongs to the shard that made it.
class datagram_channel {
    struct deleter {
        void operator()(internal::datagram_socket* socket) const noexcept;
    };
    std::unique_ptr<internal::datagram_socket, deleter> _socket;

public:
    // Sends and receives nothing.
    datagram_channel() noexcept = default;
    // Takes over a datagram descriptor of this shard's backend.
    explicit datagram_channel(int fd);

    // The next datagram. One call at a time. While nobody calls, the kernel keeps what it has
    // room for and drops the rest.
    // Errors: std::system_error ECONNREFUSED: nobody was there for one that was sent (only if
    //         connected); ENOMEM: some were lost; ECONNABORTED after shutdown_input().
    future<datagram> receive();

    // Sends one datagram. Ready once the kernel has taken it, which does not mean that it arrives.
    // Errors: std::system_error EMSGSIZE: it is too long for the network; ENOBUFS: 1024 others
    //         wait already; ECONNREFUSED, ENETUNREACH, EDESTADDRREQ, …; EPIPE after
    //         shutdown_output(). Those of one datagram do not concern the next.
    future<> send(const socket_address& to, std::string_view bytes);
    future<> send(const socket_address& to, temporary_buffer<char> bytes);
    // To the address it is connected to.
    future<> send(std::string_view bytes);

    // A receive() that waits, and every later one, fails.
    void shutdown_input() noexcept;
    // Sends that wait, and later ones, fail.
    void shutdown_output() noexcept;
    // Both.
    void close() noexcept;
    bool is_closed() const noexcept;

    // With the port that the kernel chose, if it was asked for 0.
    socket_address local_address() const noexcept;
};

// How a channel is made.
struct datagram_options {
    // SO_REUSEPORT: several channels, one for each shard, share the address, and the kernel sends
    // what comes from one place always to the same of them.
    bool reuse_port = false;
};

// Receives what is sent to `local`. Throws std::system_error: EADDRINUSE, EADDRNOTAVAIL, EMFILE, …
datagram_channel make_bound_datagram_channel(const socket_address& local,
                                             const datagram_options& options = {});

// Gets an address once it sends. `family` is AF_INET, AF_INET6 or AF_UNIX; a Unix one has no
// address that others could answer to. Throws std::system_error.
datagram_channel make_unbound_datagram_channel(int family);

// Hears from `remote` only, and of it not being there.
// Errors: std::system_error ENETUNREACH; of a Unix address ENOENT and ECONNREFUSED; EMFILE, …
future<datagram_channel> make_connected_datagram_channel(const socket_address& remote);

}  // namespace miniss
