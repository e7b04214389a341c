#include <miniss/net/listener.hh>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <deque>
#include <optional>
#include <system_error>

#include <miniss/core/reactor.hh>

namespace miniss {

namespace internal {

// Accepts ahead of its user, but only so far. Outlives the server_socket until the kernel has
// answered.
class accept_queue final : public io_completion {
    // Who waits longer than that for accept() stays in the backlog of the kernel.
    static constexpr std::size_t ahead_max = 64;

    io_backend& _backend;
    int _fd;
    std::deque<int> _accepted;
    std::optional<promise<connected_socket>> _waiter;
    int _error = 0;  // Ended the last operation; the next accept() reports it and tries again.
    bool _armed = false;
    bool _cancelling = false;
    bool _stopped = false;    // No more from the kernel.
    bool _unwanted = false;   // Whoever is still let in is dropped.
    bool _abandoned = false;  // The user is gone.

public:
    accept_queue(io_backend& backend, int fd) noexcept : _backend(backend), _fd(fd) {}

    int fd() const noexcept { return _fd; }
    io_backend& backend() noexcept { return _backend; }

    future<connected_socket> accept() {
        MINISS_ASSERT(!_waiter);  // One accept() at a time.
        auto next = _waiter.emplace().get_future(code_location::named("accept"));
        answer_waiter();
        return next;
    }

    void stop() noexcept {
        if (!_stopped) {
            _stopped = true;
            end();
        }
    }

    void abort() noexcept {
        _unwanted = true;
        stop();
        drop_accepted();
        if (_waiter) {
            answer_waiter();
        }
    }

    void abandon() noexcept {
        MINISS_ASSERT(!_waiter);
        _abandoned = true;
        abort();
        delete_when_idle();
    }

    void complete(io_result&& result) noexcept override {
        const bool asked_to_end = _cancelling;
        if (!result.more) {
            _armed = false;
            _cancelling = false;
        }
        if (result.value >= 0) {
            _accepted.push_back(result.value);
            if (_accepted.size() >= ahead_max) {
                cancel();
            }
        } else if (result.value != -ECANCELED || !asked_to_end) {
            _error = -result.value;
        }
        if (_stopped && !_armed) {
            take_backlog();
        }
        if (_unwanted) {
            drop_accepted();
        }
        if (_waiter) {
            answer_waiter();
        }
        if (_abandoned) {
            delete_when_idle();
        }
    }

private:
    // Hands out what is there; waits for more only if nothing is.
    void answer_waiter() noexcept {
        if (!_accepted.empty()) {
            const int fd = _accepted.front();
            _accepted.pop_front();
            take_waiter().set_value(
                connected_socket(stream_socket_ref(*new stream_socket(_backend, fd))));
        } else if (_error != 0) {
            fail_waiter(std::exchange(_error, 0));
        } else if (_stopped && !_armed) {
            fail_waiter(ECONNABORTED);
        } else if (!_armed) {
            _armed = true;
            _backend.submit(accept_op{_fd}, *this);
        }
    }

    promise<connected_socket> take_waiter() noexcept {
        auto waiter = std::move(*_waiter);
        _waiter.reset();
        return waiter;
    }

    void fail_waiter(int error) noexcept {
        take_waiter().set_exception(std::system_error(error, std::system_category(), "accept"));
    }

    void cancel() noexcept {
        if (_armed && !_cancelling) {
            _cancelling = true;
            _backend.cancel(*this);
        }
    }

    void end() noexcept {
        cancel();
        if (!_armed) {
            take_backlog();
        }
    }

    // Connections whose handshake is done, but which we have not seen, would be reset by closing.
    void take_backlog() noexcept {
        if (_fd < 0) {
            return;
        }
        for (int fd = _backend.sockets().accept(_fd); fd >= 0;
             fd = _backend.sockets().accept(_fd)) {
            _accepted.push_back(fd);
        }
        _backend.sockets().close(std::exchange(_fd, -1));
    }

    void drop_accepted() noexcept {
        for (const int fd : std::exchange(_accepted, {})) {
            _backend.sockets().close(fd);
        }
    }

    void delete_when_idle() noexcept {
        if (!_armed) {
            delete this;
        }
    }
};

}  // namespace internal

namespace {

[[noreturn]] void throw_error(int error, const std::string& what) {
    throw std::system_error(error, std::system_category(), what);
}

int check(int result, const std::string& what) {
    if (result < 0) {
        throw_error(-result, what);
    }
    return result;
}

// What is accepted inherits it. Unix sockets know no such thing.
void pass_on_nodelay(socket_calls& calls, int fd, bool nodelay) {
    (void)calls.set_option(fd, IPPROTO_TCP, TCP_NODELAY, nodelay ? 1 : 0);
}

void bind_and_listen(socket_calls& calls, int fd, const socket_address& local,
                     const listen_options& options) {
    const std::string what = "listen on " + local.to_string();
    if (!local.is_unix()) {
        check(calls.set_option(fd, SOL_SOCKET, SO_REUSEADDR, options.reuse_address ? 1 : 0), what);
        check(calls.set_option(fd, SOL_SOCKET, SO_REUSEPORT, options.reuse_port ? 1 : 0), what);
    }
    check(calls.bind(fd, local.data(), local.size()), what);
    if (options.nodelay) {
        pass_on_nodelay(calls, fd, true);
    }
    check(calls.listen(fd, options.backlog), what);
}

}  // namespace

void server_socket::deleter::operator()(internal::accept_queue* queue) const noexcept {
    queue->abandon();
}

server_socket::server_socket(int fd) : _queue(new internal::accept_queue(engine().backend(), fd)) {}

future<connected_socket> server_socket::accept() { return _queue->accept(); }
void server_socket::stop() noexcept {
    if (_queue != nullptr) {
        _queue->stop();
    }
}
void server_socket::abort_accept() noexcept {
    if (_queue != nullptr) {
        _queue->abort();
    }
}

void server_socket::set_nodelay(bool nodelay) {
    pass_on_nodelay(_queue->backend().sockets(), _queue->fd(), nodelay);
}

socket_address server_socket::local_address() const noexcept {
    sockaddr_storage storage{};
    socklen_t size_bytes = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (_queue->backend().sockets().local_address(_queue->fd(), address, &size_bytes) < 0) {
        return socket_address();
    }
    return socket_address(address, size_bytes);
}

int server_socket::duplicate() const {
    const int fd = ::fcntl(_queue->fd(), F_DUPFD_CLOEXEC, 0);
    return check(fd < 0 ? -errno : fd, "duplicate a listening socket");
}

socket_address probe_address(const socket_address& local) { return listen(local).local_address(); }

server_socket listen(const socket_address& local, const listen_options& options) {
    socket_calls& calls = engine().backend().sockets();
    const int fd = check(calls.open(local.family(), SOCK_STREAM), "socket");
    try {
        bind_and_listen(calls, fd, local, options);
    } catch (...) {
        calls.close(fd);
        throw;
    }
    return server_socket(fd);
}

}  // namespace miniss
