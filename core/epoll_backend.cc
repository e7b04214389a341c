#include <miniss/core/epoll_backend.hh>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <new>
#include <system_error>
#include <vector>

#include <miniss/core/assert.hh>
#include <miniss/core/blocking_file_ops.hh>
#include <miniss/core/file_request.hh>
#include <miniss/core/kernel_sockets.hh>
#include <miniss/core/overloaded.hh>

namespace miniss {

namespace {

class descriptor {
public:
    int fd;

    descriptor(int opened, const char* what) : fd(opened) {
        if (fd < 0) {
            throw std::system_error(errno, std::system_category(), what);
        }
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() { (void)::close(fd); }
};

// One direction of one descriptor: at most one operation, and what we know of its readiness.
struct direction {
    io_completion* waiter = nullptr;
    bool ready = true;   // Worth a try: edge-triggered epoll reports only changes.
    bool ended = false;  // The peer has finished or reset; a short read is then not the last.
    bool cancelled = false;
    std::size_t done_bytes = 0;  // Of a send.
};

struct descriptor_state {
    direction input;
    direction output;
    bool registered = false;
    bool queued = false;
};

// Gives the same operations as io_uring by trying each of them until it would wait.
class epoll_backend final : public io_backend {
    // Forgets a descriptor that is closed: its number will come back as another one.
    class forgetful_sockets final : public kernel_sockets {
        epoll_backend& _backend;

    public:
        explicit forgetful_sockets(epoll_backend& backend)
            : kernel_sockets(true), _backend(backend) {}
        void close(int fd) noexcept override {
            _backend.forget(fd);
            kernel_sockets::close(fd);
        }
    };

    static constexpr std::size_t scratch_bytes = 64 * 1024;
    static constexpr int tries_per_turn = 16;  // Then the others get theirs.

    descriptor _epoll{::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
    descriptor _wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"};
    forgetful_sockets _sockets{*this};
    std::vector<descriptor_state> _states;  // By descriptor.
    std::vector<int> _to_try;
    std::vector<int> _trying;
    std::size_t _in_flight_count = 0;
    std::array<epoll_event, 256> _events{};
    std::unique_ptr<char[]> _scratch = std::make_unique<char[]>(scratch_bytes);
    internal::blocking_file_ops _files;

public:
    explicit epoll_backend(blocking_threads* threads) : _files(*this, threads) {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET;
        event.data.fd = _wake.fd;
        if (::epoll_ctl(_epoll.fd, EPOLL_CTL_ADD, _wake.fd, &event) < 0) {
            throw std::system_error(errno, std::system_category(), "epoll_ctl");
        }
    }

    void submit(const io_op& op, io_completion& waiter) noexcept override {
        waiter.submitted_op = op;
        if (const auto* file = std::get_if<file_op>(&op)) {
            if (const auto* closed = std::get_if<close_request>(&file->request->call)) {
                forget(closed->fd);
            }
            _files.submit(waiter);
            return;
        }
        const int fd = fd_of(waiter);
        if (static_cast<std::size_t>(fd) >= _states.size()) {
            _states.resize(static_cast<std::size_t>(fd) * 2 + 16);
        }
        direction& way = way_of(waiter);
        MINISS_ASSERT(way.waiter == nullptr);  // One operation in each direction.
        ++_in_flight_count;
        way.waiter = &waiter;
        way.cancelled = false;
        way.done_bytes = 0;
        try_later(fd);
    }

    void cancel(io_completion& waiter) noexcept override {
        if (std::holds_alternative<file_op>(waiter.submitted_op)) {
            return;  // It ends by itself.
        }
        direction& way = way_of(waiter);
        if (way.waiter == &waiter) {
            way.cancelled = true;
            try_later(fd_of(waiter));
        }
    }

    void cancel_all() noexcept override {
        for (const descriptor_state& state : _states) {
            for (const direction* way : {&state.input, &state.output}) {
                if (way->waiter != nullptr) {
                    cancel(*way->waiter);
                }
            }
        }
    }

    std::size_t operations_in_flight() const noexcept override {
        return _in_flight_count + _files.in_flight_count();
    }

    bool poll() noexcept override {
        const bool tried = try_all();
        collect_events(std::chrono::nanoseconds::zero());
        const bool tried_again = try_all();
        return _files.poll() || tried_again || tried;
    }

    void wait_until(steady_clock::time_point deadline) noexcept override {
        if (try_all()) {
            return;
        }
        collect_events(deadline == steady_clock::time_point::max()
                           ? std::chrono::nanoseconds::max()
                           : std::max(deadline - now(), steady_clock::duration::zero()));
        try_all();
        _files.poll();
    }

    void wake() noexcept override {
        const std::uint64_t one = 1;
        (void)!::write(_wake.fd, &one, sizeof one);
    }

    steady_clock::time_point now() const noexcept override { return steady_clock::now(); }
    system_clock::time_point time_of_day() const noexcept override { return kernel_time_of_day(); }
    socket_calls& sockets() noexcept override { return _sockets; }
    const char* name() const noexcept override { return "epoll"; }

private:
    static int fd_of(const io_completion& waiter) noexcept {
        return std::visit(overloaded{[](const auto& op) { return op.fd; },
                                     [](const file_op&) { return -1; }},  // Not tried here.
                          waiter.submitted_op);
    }

    direction& way_of(const io_completion& waiter) noexcept {
        descriptor_state& state = _states[static_cast<std::size_t>(fd_of(waiter))];
        const bool is_output = std::holds_alternative<send_op>(waiter.submitted_op) ||
                               std::holds_alternative<connect_op>(waiter.submitted_op) ||
                               std::holds_alternative<writable_op>(waiter.submitted_op);
        return is_output ? state.output : state.input;
    }

    void forget(int fd) noexcept {
        if (static_cast<std::size_t>(fd) < _states.size()) {
            descriptor_state& state = _states[static_cast<std::size_t>(fd)];
            MINISS_ASSERT(state.input.waiter == nullptr && state.output.waiter == nullptr);
            const bool queued = state.queued;
            state = descriptor_state();
            state.queued = queued;
        }
    }

    void try_later(int fd) noexcept {
        descriptor_state& state = _states[static_cast<std::size_t>(fd)];
        if (!state.queued) {
            state.queued = true;
            _to_try.push_back(fd);
        }
    }

    // Runs everything that may be able to go on. True if anything completed.
    bool try_all() noexcept {
        bool completed = false;
        _trying.swap(_to_try);
        for (const int fd : _trying) {
            _states[static_cast<std::size_t>(fd)].queued = false;
            completed |= try_input(fd);
            completed |= try_output(fd);
        }
        _trying.clear();
        return completed;
    }

    void collect_events(std::chrono::nanoseconds patience) noexcept {
        const int count = wait_for_events(patience);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = _events[static_cast<std::size_t>(i)];
            if (event.data.fd == _wake.fd) {
                std::uint64_t count_of_wakes = 0;
                (void)!::read(_wake.fd, &count_of_wakes, sizeof count_of_wakes);
                continue;
            }
            descriptor_state& state = _states[static_cast<std::size_t>(event.data.fd)];
            const bool ended = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
            state.input.ended |= ended;
            state.input.ready |= ended || (event.events & EPOLLIN) != 0;
            state.output.ready |= (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
            try_later(event.data.fd);
        }
    }

    int wait_for_events(std::chrono::nanoseconds patience) noexcept {
        const auto capacity = static_cast<int>(_events.size());
        if (!_to_try.empty() || patience == std::chrono::nanoseconds::zero()) {
            return ::epoll_wait(_epoll.fd, _events.data(), capacity, 0);
        }
        if (patience == std::chrono::nanoseconds::max()) {
            return ::epoll_wait(_epoll.fd, _events.data(), capacity, -1);
        }
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
        const timespec limit{seconds.count(), (patience - seconds).count()};
        const int count = ::epoll_pwait2(_epoll.fd, _events.data(), capacity, &limit, nullptr);
        if (count < 0 && errno == ENOSYS) {  // Before Linux 5.11: milliseconds, rounded up.
            const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
            return ::epoll_wait(_epoll.fd, _events.data(), capacity,
                                static_cast<int>(std::min<long>(rounded, INT_MAX)));
        }
        return count;  // Below zero only for EINTR: a signal came.
    }

    // Only what would wait needs to be watched. A descriptor that epoll cannot watch (EPERM, a
    // regular file) never waits. Returns the errno, or 0.
    int watch(int fd) noexcept {
        descriptor_state& state = _states[static_cast<std::size_t>(fd)];
        if (state.registered) {
            return 0;
        }
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.fd = fd;
        if (::epoll_ctl(_epoll.fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST) {
            return errno;
        }
        state.registered = true;
        return 0;
    }

    // Takes the waiter out, so that complete() may start the next operation, and completes it.
    void finish(direction& way, int value) noexcept {
        --_in_flight_count;
        io_completion& waiter = *std::exchange(way.waiter, nullptr);
        io_result result;
        result.value = value;
        waiter.complete(std::move(result));
    }

    // An operation would wait: watch the descriptor. True if that failed and so ended it.
    bool wait_for_edge(int fd, direction& way) noexcept {
        way.ready = false;
        if (const int error = watch(fd); error != 0) {
            finish(way, -error);
            return true;
        }
        return false;
    }

    bool try_input(int fd) noexcept {
        bool completed = false;
        for (int tries = 0; tries < tries_per_turn; ++tries) {
            direction& way = _states[static_cast<std::size_t>(fd)].input;
            if (way.waiter == nullptr) {
                return completed;
            }
            if (way.cancelled) {
                finish(way, -ECANCELED);
                return true;
            }
            if (!way.ready) {
                return completed;
            }
            completed |=
                std::visit(overloaded{
                               [&](const accept_op&) { return try_accept(fd, way); },
                               [&](const receive_op&) { return try_receive(fd, way); },
                               [&](const readable_op&) { return try_poll(fd, POLLIN, way); },
                               [](const auto&) { return false; },
                           },
                           io_op(way.waiter->submitted_op));
        }
        try_later(fd);
        return completed;
    }

    bool try_accept(int fd, direction& way) noexcept {
        io_result result;
        result.value = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (result.value >= 0) {
            result.more = true;
            way.waiter->complete(std::move(result));
            return true;
        }
        if (errno == EAGAIN) {
            return wait_for_edge(fd, way);
        }
        finish(way, -errno);
        return true;
    }

    bool try_receive(int fd, direction& way) noexcept {
        io_result result;
        const auto received = ::recv(fd, _scratch.get(), scratch_bytes, 0);
        if (received < 0 && errno == EAGAIN) {
            return wait_for_edge(fd, way);
        }
        if (received <= 0) {
            finish(way, received < 0 ? -errno : 0);
            return true;
        }
        const auto received_bytes = static_cast<std::size_t>(received);
        try {
            result.data = temporary_buffer<char>(_scratch.get(), received_bytes);
        } catch (const std::bad_alloc&) {  // Bytes of the stream are lost, so it must end.
            finish(way, -ENOMEM);
            return true;
        }
        if (received_bytes < scratch_bytes && !way.ended) {
            way.ready = false;  // A short read has emptied the socket (epoll(7)).
            if (const int error = watch(fd); error != 0) {
                finish(way, -error);
                return true;
            }
        }
        result.value = static_cast<int>(received_bytes);
        result.more = true;
        way.waiter->complete(std::move(result));
        return true;
    }

    bool try_poll(int fd, short events, direction& way) noexcept {
        pollfd look{fd, events, 0};
        if (::poll(&look, 1, 0) == 0) {
            return wait_for_edge(fd, way);
        }
        finish(way, 0);
        return true;
    }

    bool try_output(int fd) noexcept {
        direction& way = _states[static_cast<std::size_t>(fd)].output;
        if (way.waiter == nullptr || (!way.ready && !way.cancelled)) {
            return false;
        }
        if (way.cancelled) {
            finish(way, way.done_bytes != 0 ? static_cast<int>(way.done_bytes) : -ECANCELED);
            return true;
        }
        return std::visit(overloaded{
                              [&](const connect_op& op) { return try_connect(op, way); },
                              [&](const send_op& op) { return try_send(op, way); },
                              [&](const writable_op&) { return try_poll(fd, POLLOUT, way); },
                              [](const auto&) { return false; },
                          },
                          io_op(way.waiter->submitted_op));
    }

    // Asked again after EINPROGRESS, connect() tells how it went.
    bool try_connect(const connect_op& op, direction& way) noexcept {
        if (::connect(op.fd, op.address, op.address_bytes) < 0 && errno != EISCONN) {
            if (errno == EINPROGRESS || errno == EALREADY) {
                return wait_for_edge(op.fd, way);
            }
            finish(way, -errno);
            return true;
        }
        finish(way, 0);
        return true;
    }

    bool try_send(const send_op& op, direction& way) noexcept {
        for (;;) {
            std::array<iovec, 64> pieces;
            msghdr rest = *op.message;
            rest.msg_iov = pieces.data();
            rest.msg_iovlen = remaining(*op.message, way.done_bytes, pieces);
            if (rest.msg_iovlen == 0) {
                finish(way, static_cast<int>(way.done_bytes));
                return true;
            }
            const auto sent = ::sendmsg(op.fd, &rest, MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) {
                return wait_for_edge(op.fd, way);
            }
            if (sent < 0) {
                finish(way, way.done_bytes != 0 ? static_cast<int>(way.done_bytes) : -errno);
                return true;
            }
            way.done_bytes += static_cast<std::size_t>(sent);
        }
    }

    // The pieces of `message` behind its first `done_bytes`, as many as fit.
    static std::size_t remaining(const msghdr& message, std::size_t done_bytes,
                                 std::array<iovec, 64>& pieces) noexcept {
        std::size_t count = 0;
        for (std::size_t i = 0; i < message.msg_iovlen && count < pieces.size(); ++i) {
            const iovec& piece = message.msg_iov[i];
            const std::size_t skipped = std::min(done_bytes, piece.iov_len);
            done_bytes -= skipped;
            if (skipped < piece.iov_len) {
                pieces[count++] = {static_cast<char*>(piece.iov_base) + skipped,
                                   piece.iov_len - skipped};
            }
        }
        return count;
    }
};

}  // namespace

std::unique_ptr<io_backend> make_epoll_backend(blocking_threads* threads) {
    return std::make_unique<epoll_backend>(threads);
}

}  // namespace miniss
