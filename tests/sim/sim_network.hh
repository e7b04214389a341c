// The network of a simulated world: descriptors, listeners and connections, all in memory.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include <miniss/tests/sim/sim_address.hh>
#include <miniss/tests/sim/sim_connection.hh>

namespace miniss::sim {

// One for all shards of a world, as descriptors belong to the process. The try_... calls are for
// sim_backend.
class sim_network final : public socket_calls {
    struct arrival {
        std::shared_ptr<sim_connection> connection;
        sim_address from;
        steady_clock::time_point due;
    };
    struct sim_datagram {
        sim_address from;
        std::string bytes;
        steady_clock::time_point due;
    };
    struct attempt {
        int result;
        steady_clock::time_point due;
    };
    struct sim_socket {
        int family = AF_UNSPEC;
        sim_address local;
        sim_address remote;
        std::map<std::pair<int, int>, int> options;
        std::size_t operation_count = 0;
        bool listening = false;
        std::size_t backlog_max = 0;
        std::deque<arrival> backlog;
        std::optional<attempt> connecting;
        std::shared_ptr<sim_connection> connection;
        unsigned side = 0;
        std::string from_pipe;  // Taken out of a real pipe, and not sent yet.
        bool datagrams = false;
        std::deque<sim_datagram> inbox;
        std::optional<steady_clock::time_point> refused;  // From then on it knows of a refusal.
    };

    sim_clock& _clock;
    sim_random& _random;
    std::map<int, sim_socket> _sockets;
    std::uint16_t _next_port = 40000;

public:
    network_options options;  // May be changed at any time.

    sim_network(sim_clock& clock, sim_random& random) noexcept;

    // For tests: the network loses the connection of `fd`, and both sides get ECONNRESET.
    void cut(int fd) noexcept;
    // A connected pair of sockets.
    std::pair<int, int> connected_pair();
    std::size_t descriptor_count() const noexcept { return _sockets.size(); }
    // What set_option() was last called with; nothing if it was not.
    std::optional<int> option(int fd, int level, int name) const;

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

    // Each gives what the operation would complete with, or nothing if it would wait.
    std::optional<int> try_accept(int fd);
    std::optional<int> try_connect(int fd, const sockaddr* address, socklen_t address_bytes);
    std::optional<io_result> try_receive(int fd);
    std::optional<int> try_send(int fd, const char* data, std::size_t size_bytes);
    bool readable(int fd);
    bool writable(int fd);

    // An operation on `fd` begins or has ended; in between it must not be closed.
    void enter(int fd);
    void leave(int fd);

private:
    sim_socket& socket_of(int fd);
    int add(sim_socket&& added);
    int bind_to(sim_socket& bound, sim_address address);
    attempt begin_connect(sim_socket& from, sim_socket& listener, const sim_address& address);
    std::vector<sim_socket*> listeners_for(const sim_address& address);
    int send_datagram(sim_socket& from, const outgoing_datagram& out);
    void deliver(sim_socket& from, const sim_address& to, std::string_view bytes);
    bool has_refusal(sim_socket& asked) noexcept;
};

}  // namespace miniss::sim
