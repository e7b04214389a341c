#include <miniss/tests/sim/sim_network.hh>

#include <unistd.h>

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include <miniss/core/assert.hh>

namespace miniss::sim {

namespace {

// Far from the descriptors of the real process, so that one taken for the other is noticed.
constexpr int first_descriptor = 1'000'000;

}  // namespace

// Not in the header, where every test would compile all that a network is made of.
sim_network::sim_network(sim_clock& clock, sim_random& random) noexcept
    : _clock(clock), _random(random) {}

sim_network::sim_socket& sim_network::socket_of(int fd) {
    const auto found = _sockets.find(fd);
    MINISS_ASSERT(found != _sockets.end());  // Otherwise: closed, or never opened.
    return found->second;
}

// The lowest free number, as kernels do it: who uses a closed descriptor meets somebody else's.
int sim_network::add(sim_socket&& added) {
    if (_sockets.size() >= options.descriptor_count_max) {
        return -EMFILE;
    }
    int fd = first_descriptor;
    while (_sockets.contains(fd)) {
        ++fd;
    }
    _sockets.emplace(fd, std::move(added));
    return fd;
}

int sim_network::open(int family, int type) noexcept {
    MINISS_ASSERT(type == SOCK_STREAM || type == SOCK_DGRAM);
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
        return -EAFNOSUPPORT;
    }
    sim_socket opened;
    opened.family = family;
    opened.datagrams = type == SOCK_DGRAM;
    return add(std::move(opened));
}

int sim_network::bind(int fd, const sockaddr* address, socklen_t address_bytes) noexcept {
    sim_socket& bound = socket_of(fd);
    if (!bound.local.empty() || address->sa_family != bound.family) {
        return -EINVAL;
    }
    return bind_to(bound, sim_address(address, address_bytes));
}

int sim_network::bind_to(sim_socket& bound, sim_address address) {
    if (address.is_internet() && address.port() == 0) {
        address.set_port(_next_port++);
    }
    const std::pair<int, int> reuse(SOL_SOCKET, SO_REUSEPORT);
    for (const auto& [fd, other] : _sockets) {
        const bool overlaps = !other.local.empty() && other.connection == nullptr &&
                              other.datagrams == bound.datagrams &&
                              (other.local.covers(address) || address.covers(other.local));
        const bool shared = bound.options.contains(reuse) && other.options.contains(reuse);
        if (overlaps && !shared) {
            return -EADDRINUSE;
        }
    }
    bound.local = address;
    return 0;
}

int sim_network::listen(int fd, int backlog) noexcept {
    sim_socket& listener = socket_of(fd);
    if (listener.connection != nullptr) {
        return -EINVAL;
    }
    if (listener.local.empty()) {
        bind_to(listener, sim_address::loopback(listener.family));
    }
    listener.listening = true;
    listener.backlog_max = static_cast<std::size_t>(std::max(backlog, 1));
    return 0;
}

int sim_network::set_option(int fd, int level, int name, int value) noexcept {
    sim_socket& changed = socket_of(fd);
    if (level == IPPROTO_TCP && changed.family == AF_UNIX) {
        return -EOPNOTSUPP;
    }
    changed.options[{level, name}] = value;
    return 0;
}

std::optional<int> sim_network::option(int fd, int level, int name) const {
    const sim_socket& asked = _sockets.at(fd);
    const auto found = asked.options.find({level, name});
    return found == asked.options.end() ? std::nullopt : std::optional(found->second);
}

int sim_network::shutdown(int fd, int how) noexcept {
    sim_socket& ended = socket_of(fd);
    if (ended.listening) {
        ended.listening = false;
        return 0;
    }
    if (ended.connection == nullptr) {
        return -ENOTCONN;
    }
    ended.connection->shutdown(ended.side, how);
    return 0;
}

int sim_network::local_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept {
    socket_of(fd).local.copy_to(address, address_bytes);
    return 0;
}

int sim_network::remote_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept {
    const sim_socket& asked = socket_of(fd);
    if (asked.connection == nullptr) {
        return -ENOTCONN;
    }
    asked.remote.copy_to(address, address_bytes);
    return 0;
}

// Reads a real file, as the pipe is a real one.
int sim_network::send_file(int fd, int file, std::uint64_t offset,
                           std::size_t size_bytes) noexcept {
    if (!options.caches_files || _random.coin()) {
        return -ENODATA;
    }
    std::string bytes(size_bytes, '\0');
    const auto got = ::pread(file, bytes.data(), size_bytes, static_cast<off_t>(offset));
    if (got <= 0) {
        return -ENODATA;
    }
    return try_send(fd, bytes.data(), static_cast<std::size_t>(got)).value_or(-EAGAIN);
}

int sim_network::send_from_pipe(int fd, int pipe, std::size_t size_bytes) noexcept {
    std::string& bytes = socket_of(fd).from_pipe;
    if (const std::size_t have_bytes = bytes.size(); have_bytes < size_bytes) {
        bytes.resize(size_bytes);
        const auto got = ::read(pipe, bytes.data() + have_bytes, size_bytes - have_bytes);
        MINISS_ASSERT(got == static_cast<ssize_t>(size_bytes - have_bytes));
    }
    const std::optional<int> sent = try_send(fd, bytes.data(), size_bytes);
    if (sent && *sent > 0) {
        bytes.erase(0, static_cast<std::size_t>(*sent));
    }
    return sent.value_or(-EAGAIN);
}

void sim_network::close(int fd) noexcept {
    sim_socket& closed = socket_of(fd);
    MINISS_ASSERT(closed.operation_count == 0);
    for (const arrival& unaccepted : closed.backlog) {
        unaccepted.connection->cut();
    }
    if (closed.connection != nullptr) {
        closed.connection->close(closed.side);
    }
    _sockets.erase(fd);
}

void sim_network::cut(int fd) noexcept { socket_of(fd).connection->cut(); }

std::pair<int, int> sim_network::connected_pair() {
    sim_socket ends[2];
    const auto connection = std::make_shared<sim_connection>(_clock, _random, options);
    for (unsigned side = 0; side < 2; ++side) {
        ends[side].family = AF_UNIX;
        ends[side].connection = connection;
        ends[side].side = side;
    }
    const int first = add(std::move(ends[0]));
    return {first, add(std::move(ends[1]))};
}

int sim_network::accept(int fd) noexcept { return try_accept(fd).value_or(-EAGAIN); }

std::optional<int> sim_network::try_accept(int fd) {
    sim_socket& listener = socket_of(fd);
    if (!listener.listening) {
        return -EINVAL;
    }
    if (listener.backlog.empty() || listener.backlog.front().due > _clock.now()) {
        return std::nullopt;
    }
    sim_socket accepted;
    accepted.family = listener.family;
    accepted.local = listener.local;
    accepted.remote = listener.backlog.front().from;
    accepted.connection = listener.backlog.front().connection;
    accepted.side = 1;
    const int accepted_fd = add(std::move(accepted));
    if (accepted_fd >= 0) {  // Otherwise it stays in the backlog.
        listener.backlog.pop_front();
    }
    return accepted_fd;
}

std::vector<sim_network::sim_socket*> sim_network::listeners_for(const sim_address& address) {
    std::vector<sim_socket*> found;
    for (auto& [fd, each] : _sockets) {
        if (each.listening && each.local.covers(address)) {
            found.push_back(&each);
        }
    }
    return found;
}

std::optional<int> sim_network::try_connect(int fd, const sockaddr* address,
                                            socklen_t address_bytes) {
    sim_socket& from = socket_of(fd);
    const sim_address to(address, address_bytes);
    if (from.datagrams) {
        from.remote = to;
        return 0;
    }
    if (!from.connecting) {
        const auto listeners = listeners_for(to);
        if (listeners.empty()) {
            from.connecting = {-ECONNREFUSED, _clock.in(_random.delay(options.latency_max))};
        } else {
            sim_socket& listener = *listeners[_random.pick(listeners.size())];
            if (listener.backlog.size() >= listener.backlog_max) {
                return std::nullopt;  // It will try again, as TCP does.
            }
            from.connecting = begin_connect(from, listener, to);
        }
    }
    if (from.connecting->due > _clock.now()) {
        return std::nullopt;
    }
    const int result = from.connecting->result;
    from.connecting.reset();
    return result;
}

sim_network::attempt sim_network::begin_connect(sim_socket& from, sim_socket& listener,
                                                const sim_address& address) {
    if (from.connection != nullptr) {
        return {-EISCONN, _clock.now()};
    }
    if (from.local.empty() && from.family != AF_UNIX) {
        bind_to(from, sim_address::loopback(from.family));
    }
    from.remote = address;
    from.connection = std::make_shared<sim_connection>(_clock, _random, options);
    from.side = 0;
    const auto due = _clock.in(_random.delay(options.latency_max));
    listener.backlog.push_back({from.connection, from.local, due});
    return {0, _clock.in(_random.delay(options.latency_max))};
}

std::optional<io_result> sim_network::try_receive(int fd) {
    sim_socket& receiver = socket_of(fd);
    if (receiver.connection == nullptr) {
        io_result result;
        result.value = -ENOTCONN;
        return result;
    }
    return receiver.connection->receive(receiver.side);
}

std::optional<int> sim_network::try_send(int fd, const char* data, std::size_t size_bytes) {
    sim_socket& sender = socket_of(fd);
    if (sender.connection == nullptr) {
        return -ENOTCONN;
    }
    return sender.connection->send(sender.side, data, size_bytes);
}

bool sim_network::readable(int fd) {
    sim_socket& asked = socket_of(fd);
    if (asked.datagrams) {
        return has_refusal(asked) ||
               std::any_of(asked.inbox.begin(), asked.inbox.end(),
                           [this](const sim_datagram& each) { return each.due <= _clock.now(); });
    }
    if (asked.connection != nullptr) {
        return asked.connection->readable(asked.side);
    }
    return !asked.listening ||
           (!asked.backlog.empty() && asked.backlog.front().due <= _clock.now());
}

void sim_network::enter(int fd) { ++socket_of(fd).operation_count; }
void sim_network::leave(int fd) { --socket_of(fd).operation_count; }

}  // namespace miniss::sim
