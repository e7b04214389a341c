#include <miniss/net/socket.hh>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <system_error>

#include <miniss/core/reactor.hh>
#include <miniss/net/file_sender.hh>
#include <miniss/timer/timer.hh>

namespace miniss {

namespace {

class socket_source final : public data_source {
    internal::stream_socket_ref _socket;

public:
    explicit socket_source(internal::stream_socket_ref socket) noexcept
        : _socket(std::move(socket)) {}
    future<temporary_buffer<char>> get() override { return _socket->get(); }
    future<> close() override {
        _socket->end_input();
        return make_ready_future<>();
    }
};

class socket_sink final : public data_sink {
    internal::stream_socket_ref _socket;

public:
    explicit socket_sink(internal::stream_socket_ref socket) noexcept
        : _socket(std::move(socket)) {}
    future<> put(gather_list&& pieces) override { return _socket->put(std::move(pieces)); }
    future<> close() override {
        _socket->end_output();
        return make_ready_future<>();
    }
};

class socket_stream final : public byte_stream {
    internal::stream_socket_ref _socket;

public:
    explicit socket_stream(internal::stream_socket_ref socket) noexcept
        : _socket(std::move(socket)) {}
    future<temporary_buffer<char>> get() override { return _socket->get(); }
    bool interrupt_get() noexcept override { return _socket->interrupt_input(); }
    future<> put(gather_list&& pieces) override { return _socket->put(std::move(pieces)); }
    future<> close() override {
        _socket->end_output();
        return make_ready_future<>();
    }
    void abort() noexcept override {
        _socket->end_input();
        _socket->end_output();
    }
    socket_address remote_address() const noexcept override {
        return connected_socket(_socket).remote_address();
    }
    connected_socket bare_socket() const noexcept override { return connected_socket(_socket); }
};

std::system_error connect_error(int error, const socket_address& remote) {
    return std::system_error(error, std::system_category(), "connect to " + remote.to_string());
}

// One connect() on its way; deletes itself.
class connecting final : public io_completion {
    io_backend& _backend;
    int _fd;
    socket_address _remote;
    promise<connected_socket> _done;
    timer<> _limit;
    bool _timed_out = false;

public:
    connecting(io_backend& backend, int fd, const socket_address& remote)
        : _backend(backend), _fd(fd), _remote(remote), _limit([this] { give_up(); }) {}

    future<connected_socket> start(std::optional<std::chrono::milliseconds> timeout) noexcept {
        auto done = _done.get_future(code_location::named("connect"));
        if (timeout) {
            _limit.arm(*timeout);
        }
        _backend.submit(connect_op{_fd, _remote.data(), _remote.size()}, *this);
        return done;
    }

    void complete(io_result&& result) noexcept override {
        if (result.value < 0) {
            _backend.sockets().close(_fd);
            const int error = _timed_out && result.value == -ECANCELED ? ETIMEDOUT : -result.value;
            _done.set_exception(connect_error(error, _remote));
        } else {
            _done.set_value(connected_socket(
                internal::stream_socket_ref(*new internal::stream_socket(_backend, _fd))));
        }
        delete this;
    }

private:
    void give_up() noexcept {
        _timed_out = true;
        _backend.cancel(*this);
    }
};

}  // namespace

input_stream<char> connected_socket::input() {
    return input_stream<char>(std::make_unique<socket_source>(_socket));
}

output_stream<char> connected_socket::output() {
    return output_stream<char>(std::make_unique<socket_sink>(_socket));
}

connected_socket byte_stream::bare_socket() const noexcept { return {}; }

std::unique_ptr<byte_stream> connected_socket::stream() {
    return std::make_unique<socket_stream>(_socket);
}

// Setting these fails only where the protocol has no such thing.
void connected_socket::set_nodelay(bool nodelay) {
    (void)_socket->calls().set_option(_socket->fd(), IPPROTO_TCP, TCP_NODELAY, nodelay ? 1 : 0);
}

void connected_socket::set_keepalive(bool keepalive) {
    (void)_socket->calls().set_option(_socket->fd(), SOL_SOCKET, SO_KEEPALIVE, keepalive ? 1 : 0);
}

void connected_socket::set_keepalive_parameters(const tcp_keepalive_params& parameters) {
    const auto set = [this](int name, auto value) {
        (void)_socket->calls().set_option(_socket->fd(), IPPROTO_TCP, name,
                                          static_cast<int>(value));
    };
    set(TCP_KEEPIDLE, parameters.idle.count());
    set(TCP_KEEPINTVL, parameters.interval.count());
    set(TCP_KEEPCNT, parameters.count);
}

future<> connected_socket::send_file(const file& source, std::uint64_t offset,
                                     std::uint64_t size_bytes) {
    auto sender =
        std::make_unique<internal::file_sender>(*_socket.operator->(), source, offset, size_bytes);
    auto sent = sender->run();
    return sent.then_wrapped([sender = std::move(sender)](future<> ended) {
        if (ended.failed()) {
            sender->end_output();
        }
        return ended;
    });
}

int connected_socket::release() noexcept {
    const int fd = _socket->release();
    _socket = {};
    return fd;
}

socket_address connected_socket::local_address() const noexcept {
    sockaddr_storage storage{};
    socklen_t size_bytes = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (_socket->calls().local_address(_socket->fd(), address, &size_bytes) < 0) {
        return socket_address();
    }
    return socket_address(address, size_bytes);
}

socket_address connected_socket::remote_address() const noexcept {
    sockaddr_storage storage{};
    socklen_t size_bytes = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (_socket->calls().remote_address(_socket->fd(), address, &size_bytes) < 0) {
        return socket_address();
    }
    return socket_address(address, size_bytes);
}

connected_socket adopt_connection(int fd) {
    return connected_socket(
        internal::stream_socket_ref(*new internal::stream_socket(engine().backend(), fd)));
}

future<connected_socket> connect(const socket_address& remote, const connect_options& options) {
    io_backend& backend = engine().backend();
    const int fd = backend.sockets().open(remote.family(), SOCK_STREAM);
    if (fd < 0) {
        return make_exception_future<connected_socket>(
            std::system_error(-fd, std::system_category(), "socket"));
    }
    if (options.local.family() != AF_UNSPEC) {
        const int error = backend.sockets().bind(fd, options.local.data(), options.local.size());
        if (error < 0) {
            backend.sockets().close(fd);
            return make_exception_future<connected_socket>(connect_error(-error, remote));
        }
    }
    return (new connecting(backend, fd, remote))->start(options.timeout);
}

}  // namespace miniss
