#include <miniss/net/datagram_channel.hh>

#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <system_error>

#include <miniss/core/reactor.hh>

namespace miniss {

namespace {

std::exception_ptr error_of(int error, const char* what) {
    return std::make_exception_ptr(std::system_error(error, std::system_category(), what));
}

}  // namespace

namespace internal {

// Owns the descriptor. Outlives its channel until the kernel has answered what is under way.
class datagram_socket {
    // A system call takes as many, each way (core/kernel_sockets.hh).
    static constexpr std::size_t batch_max = 32;
    static constexpr std::size_t waiting_count_max = 1024;

    // Waits until datagrams are there, and takes them, while somebody wants one.
    class receiver final : public io_completion {
        datagram_socket& _socket;
        std::deque<datagram> _arrived;
        std::optional<promise<datagram>> _reader;
        bool _armed = false;
        bool _ended = false;

    public:
        explicit receiver(datagram_socket& socket) noexcept : _socket(socket) {}
        bool armed() const noexcept { return _armed; }
        bool ended() const noexcept { return _ended; }
        bool has_reader() const noexcept { return _reader.has_value(); }

        future<datagram> receive() {
            MINISS_ASSERT(!_reader);  // One receive() at a time.
            if (_ended) {
                return make_exception_future<datagram>(error_of(ECONNABORTED, "receive"));
            }
            if (!_arrived.empty()) {
                datagram next = std::move(_arrived.front());
                _arrived.pop_front();
                return make_ready_future<datagram>(std::move(next));
            }
            auto next = _reader.emplace().get_future(code_location::named("receive"));
            arm();
            return next;
        }

        void end() noexcept {
            _ended = true;
            _arrived.clear();
            if (_reader) {
                fail(ECONNABORTED);
            }
            if (_armed) {
                _socket._backend.cancel(*this);
            }
        }

        void complete(io_result&& result) noexcept override {
            _armed = false;
            if (_reader && result.value < 0) {
                fail(-result.value);
            } else if (_reader) {
                take();
            }
            _socket.delete_when_idle();
        }

    private:
        void arm() noexcept {
            _armed = true;
            _socket._backend.submit(readable_op{_socket._fd}, *this);
        }

        void fail(int error) noexcept { take_reader().set_exception(error_of(error, "receive")); }

        promise<datagram> take_reader() noexcept {
            auto reader = std::move(*_reader);
            _reader.reset();
            return reader;
        }

        void take() noexcept {
            std::array<received_datagram, batch_max> batch;
            const int count = _socket._backend.sockets().receive_datagrams(_socket._fd, batch);
            if (count == -EAGAIN) {  // Its checksum was wrong, so the kernel has dropped it.
                arm();
            } else if (count < 0) {
                fail(-count);
            }
            for (int i = 0; i < count; ++i) {
                received_datagram& each = batch[static_cast<std::size_t>(i)];
                _arrived.emplace_back(
                    socket_address(reinterpret_cast<sockaddr*>(&each.from), each.from_bytes),
                    std::move(each.data), each.truncated);
            }
            if (count > 0) {
                datagram first = std::move(_arrived.front());
                _arrived.pop_front();
                take_reader().set_value(std::move(first));
            }
        }
    };

    // Collects what is sent until the kernel is asked next, which is at the end of the turn.
    class sender final : public io_completion {
        struct waiting {
            socket_address to;  // Unspecified: to whom the socket is connected to.
            temporary_buffer<char> data;
            promise<> sent;
        };

        datagram_socket& _socket;
        std::deque<waiting> _waiting;
        bool _armed = false;
        bool _ended = false;

    public:
        explicit sender(datagram_socket& socket) noexcept : _socket(socket) {}
        bool armed() const noexcept { return _armed; }
        bool ended() const noexcept { return _ended; }

        future<> send(const socket_address& to, temporary_buffer<char> bytes) {
            if (_ended || _waiting.size() >= waiting_count_max) {
                return make_exception_future<>(error_of(_ended ? EPIPE : ENOBUFS, "send"));
            }
            auto sent = _waiting.emplace_back(waiting{to, std::move(bytes), {}})
                            .sent.get_future(code_location::named("send"));
            if (!_armed) {
                arm();
            }
            return sent;
        }

        void end() noexcept {
            _ended = true;
            while (!_waiting.empty()) {
                fail_first(EPIPE);
            }
            if (_armed) {
                _socket._backend.cancel(*this);
            }
        }

        void complete(io_result&& result) noexcept override {
            _armed = false;
            while (result.value < 0 && !_waiting.empty()) {
                fail_first(-result.value);
            }
            send_all();
            _socket.delete_when_idle();
        }

    private:
        void arm() noexcept {
            _armed = true;
            _socket._backend.submit(writable_op{_socket._fd}, *this);
        }

        promise<> take_first() noexcept {
            auto sent = std::move(_waiting.front().sent);
            _waiting.pop_front();
            return sent;
        }
        void fail_first(int error) noexcept { take_first().set_exception(error_of(error, "send")); }

        void send_all() noexcept {
            while (!_waiting.empty()) {
                const int count = send_batch();
                if (count == -EAGAIN) {
                    arm();
                    return;
                }
                if (count < 0) {
                    fail_first(-count);
                }
                for (int i = 0; i < count; ++i) {
                    take_first().set_value();
                }
            }
        }

        int send_batch() noexcept {
            std::array<outgoing_datagram, batch_max> batch;
            std::size_t count = 0;
            for (const waiting& each : _waiting) {
                if (count == batch.size()) {
                    break;
                }
                const bool has_address = each.to.family() != AF_UNSPEC;
                batch[count++] = {has_address ? each.to.data() : nullptr,
                                  has_address ? each.to.size() : 0, each.data.view()};
            }
            return _socket._backend.sockets().send_datagrams(
                _socket._fd, std::span<const outgoing_datagram>(batch).first(count));
        }
    };

    io_backend& _backend;
    int _fd;
    receiver _receiver{*this};
    sender _sender{*this};
    bool _abandoned = false;

public:
    datagram_socket(io_backend& backend, int fd) noexcept : _backend(backend), _fd(fd) {}
    datagram_socket(const datagram_socket&) = delete;
    datagram_socket& operator=(const datagram_socket&) = delete;

    int fd() const noexcept { return _fd; }
    io_backend& backend() noexcept { return _backend; }
    future<datagram> receive() { return _receiver.receive(); }
    future<> send(const socket_address& to, temporary_buffer<char> bytes) {
        return _sender.send(to, std::move(bytes));
    }
    void end_input() noexcept { _receiver.end(); }
    void end_output() noexcept { _sender.end(); }
    bool ended() const noexcept { return _receiver.ended() && _sender.ended(); }

    void abandon() noexcept {
        MINISS_ASSERT(!_receiver.has_reader());
        end_input();
        end_output();
        _abandoned = true;
        delete_when_idle();
    }

private:
    ~datagram_socket() = default;

    void delete_when_idle() noexcept {
        if (_abandoned && !_receiver.armed() && !_sender.armed()) {
            _backend.sockets().close(_fd);
            delete this;
        }
    }
};

}  // namespace internal

namespace {

int check(int result, const std::string& what) {
    if (result < 0) {
        throw std::system_error(-result, std::system_category(), what);
    }
    return result;
}

// A connect() on its way, which for datagrams only sets an address; deletes itself.
class connecting_datagrams final : public io_completion {
    io_backend& _backend;
    int _fd;
    socket_address _remote;
    promise<datagram_channel> _done;

public:
    connecting_datagrams(io_backend& backend, int fd, const socket_address& remote) noexcept
        : _backend(backend), _fd(fd), _remote(remote) {}

    future<datagram_channel> start() noexcept {
        auto done = _done.get_future(code_location::named("connect"));
        _backend.submit(connect_op{_fd, _remote.data(), _remote.size()}, *this);
        return done;
    }

    void complete(io_result&& result) noexcept override {
        if (result.value < 0) {
            _backend.sockets().close(_fd);
            _done.set_exception(std::system_error(-result.value, std::system_category(),
                                                  "connect to " + _remote.to_string()));
        } else {
            _done.set_value(datagram_channel(_fd));
        }
        delete this;
    }
};

}  // namespace

void datagram_channel::deleter::operator()(internal::datagram_socket* socket) const noexcept {
    socket->abandon();
}

datagram_channel::datagram_channel(int fd)
    : _socket(new internal::datagram_socket(engine().backend(), fd)) {}

future<datagram> datagram_channel::receive() { return _socket->receive(); }

future<> datagram_channel::send(const socket_address& to, std::string_view bytes) {
    return _socket->send(to, temporary_buffer<char>(bytes.data(), bytes.size()));
}
future<> datagram_channel::send(const socket_address& to, temporary_buffer<char> bytes) {
    return _socket->send(to, std::move(bytes));
}
future<> datagram_channel::send(std::string_view bytes) { return send(socket_address(), bytes); }

void datagram_channel::shutdown_input() noexcept {
    if (_socket != nullptr) {
        _socket->end_input();
    }
}
void datagram_channel::shutdown_output() noexcept {
    if (_socket != nullptr) {
        _socket->end_output();
    }
}
void datagram_channel::close() noexcept {
    shutdown_input();
    shutdown_output();
}
bool datagram_channel::is_closed() const noexcept { return _socket == nullptr || _socket->ended(); }

socket_address datagram_channel::local_address() const noexcept {
    sockaddr_storage storage{};
    socklen_t size_bytes = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (_socket->backend().sockets().local_address(_socket->fd(), address, &size_bytes) < 0) {
        return socket_address();
    }
    return socket_address(address, size_bytes);
}

datagram_channel make_bound_datagram_channel(const socket_address& local,
                                             const datagram_options& options) {
    socket_calls& calls = engine().backend().sockets();
    const int fd = check(calls.open(local.family(), SOCK_DGRAM), "socket");
    int error = 0;
    if (options.reuse_port) {
        error = calls.set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (error == 0) {
        error = calls.bind(fd, local.data(), local.size());
    }
    if (error < 0) {
        calls.close(fd);
        check(error, "bind to " + local.to_string());
    }
    return datagram_channel(fd);
}

datagram_channel make_unbound_datagram_channel(int family) {
    return datagram_channel(check(engine().backend().sockets().open(family, SOCK_DGRAM), "socket"));
}

future<datagram_channel> make_connected_datagram_channel(const socket_address& remote) {
    io_backend& backend = engine().backend();
    const int fd = backend.sockets().open(remote.family(), SOCK_DGRAM);
    if (fd < 0) {
        return make_exception_future<datagram_channel>(error_of(-fd, "socket"));
    }
    return (new connecting_datagrams(backend, fd, remote))->start();
}

}  // namespace miniss
