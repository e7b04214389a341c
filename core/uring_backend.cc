#include <miniss/core/uring_backend.hh>

#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include <miniss/core/assert.hh>
#include <miniss/core/blocking_file_ops.hh>
#include <miniss/core/kernel_sockets.hh>
#include <miniss/core/overloaded.hh>
#include <miniss/core/uring_buffer_ring.hh>
#include <miniss/core/uring_cancels.hh>
#include <miniss/core/uring_file_buffers.hh>
#include <miniss/core/uring_files.hh>

namespace miniss {

namespace {

[[noreturn]] void throw_errno(int error, const char* what) {
    throw std::system_error(error, std::system_category(), what);
}

// Makes the ring before everything that needs one, and destroys it after them.
class ring_owner {
public:
    io_uring ring{};

    ring_owner() {
        io_uring_params options{};
        options.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE;
        options.cq_entries = 4096;
        const int error = io_uring_queue_init_params(256, &ring, &options);
        if (error < 0) {
            throw_errno(-error, "io_uring_setup");
        }
    }
    ring_owner(const ring_owner&) = delete;
    ring_owner& operator=(const ring_owner&) = delete;
    ~ring_owner() { io_uring_queue_exit(&ring); }
};

class wake_descriptor {
public:
    int fd;

    wake_descriptor() : fd(::eventfd(0, EFD_CLOEXEC)) {
        if (fd < 0) {
            throw_errno(errno, "eventfd");
        }
    }
    wake_descriptor(const wake_descriptor&) = delete;
    wake_descriptor& operator=(const wake_descriptor&) = delete;
    ~wake_descriptor() { (void)::close(fd); }
};

class uring_backend final : public io_backend {
    // What a completion belongs to. Waiters are aligned, so their addresses are of the first kind.
    static constexpr std::uint64_t kind_mask = 3;
    static constexpr std::uint64_t kind_of_operation = 0;
    static constexpr std::uint64_t kind_of_wake = 1;
    static constexpr std::uint64_t kind_of_cancel = 2;  // Above it the number.
    static constexpr std::uint64_t kind_of_cancel_all = 3;

    wake_descriptor _wake;
    ring_owner _owner;
    io_uring& _ring = _owner.ring;
    internal::uring_buffer_ring _buffers{_ring};
    internal::uring_file_buffers _file_buffers{_ring};
    kernel_sockets _sockets{false};
    std::uint64_t _wake_count = 0;
    std::size_t _in_flight_count = 0;
    // Receives that ended because no buffer was free; they start again once one is.
    std::vector<io_completion*> _starved;
    std::vector<io_completion*> _starved_and_cancelled;
    internal::uring_cancels _cancels;
    internal::blocking_file_ops _blocking;

public:
    explicit uring_backend(blocking_threads* threads) : _blocking(*this, threads) { arm_wake(); }

    void submit(const io_op& op, io_completion& waiter) noexcept override {
        waiter.submitted_op = op;
        if (const auto* file = std::get_if<file_op>(&op);
            file != nullptr && !internal::uring_makes(*file->request)) {
            _blocking.submit(waiter);
            return;
        }
        waiter.under_way = true;
        waiter.cancel_asked = false;
        waiter.cancel_number = 0;
        ++_in_flight_count;
        start(waiter);
    }

    void cancel(io_completion& waiter) noexcept override {
        if (!waiter.under_way || waiter.cancel_asked) {
            return;
        }
        waiter.cancel_asked = true;
        if (const auto found = std::find(_starved.begin(), _starved.end(), &waiter);
            found != _starved.end()) {
            _starved.erase(found);
            _starved_and_cancelled.push_back(&waiter);
            return;
        }
        ask_for_cancel(waiter);
    }

    void cancel_all() noexcept override {
        _starved_and_cancelled.insert(_starved_and_cancelled.end(), _starved.begin(),
                                      _starved.end());
        _starved.clear();
        io_uring_sqe* sqe = next_sqe();
        io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data64(sqe, kind_of_cancel_all);
    }

    std::size_t operations_in_flight() const noexcept override {
        return _in_flight_count + _blocking.in_flight_count();
    }

    bool poll() noexcept override {
        // Both reads are of memory that is shared with the kernel: no system call if there is
        // nothing to tell and nothing to hear.
        constexpr unsigned something_to_hear = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
        if (io_uring_sq_ready(&_ring) != 0 ||
            (__atomic_load_n(_ring.sq.kflags, __ATOMIC_RELAXED) & something_to_hear) != 0) {
            check_submitted(io_uring_submit_and_get_events(&_ring));
        }
        return reap();
    }

    void wait_until(steady_clock::time_point deadline) noexcept override {
        io_uring_cqe* first = nullptr;
        if (!_starved_and_cancelled.empty()) {
            poll();
        } else if (deadline == steady_clock::time_point::max()) {
            check_submitted(io_uring_submit_and_wait(&_ring, 1));
        } else {
            const auto left = std::max(deadline - now(), steady_clock::duration::zero());
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
            __kernel_timespec timeout{seconds.count(),
                                      std::chrono::nanoseconds(left - seconds).count()};
            check_submitted(io_uring_submit_and_wait_timeout(&_ring, &first, 1, &timeout, nullptr));
        }
        reap();
    }

    void wake() noexcept override {
        const std::uint64_t one = 1;
        (void)!::write(_wake.fd, &one, sizeof one);
    }

    steady_clock::time_point now() const noexcept override { return steady_clock::now(); }
    system_clock::time_point time_of_day() const noexcept override { return kernel_time_of_day(); }
    socket_calls& sockets() noexcept override { return _sockets; }
    file_buffer_pool* file_buffers() noexcept override { return _file_buffers.get(); }
    std::vector<pool_statistics> pools() const override {
        std::vector<pool_statistics> all{_buffers.use};
        _file_buffers.add_statistics(all);
        return all;
    }
    const char* name() const noexcept override { return "io_uring"; }

private:
    void start(io_completion& waiter) noexcept {
        io_uring_sqe* sqe = next_sqe();
        std::visit(
            overloaded{
                [sqe](const accept_op& op) {
                    io_uring_prep_multishot_accept(sqe, op.fd, nullptr, nullptr, SOCK_CLOEXEC);
                },
                [sqe](const connect_op& op) {
                    io_uring_prep_connect(sqe, op.fd, op.address, op.address_bytes);
                },
                [sqe](const receive_op& op) {
                    io_uring_prep_recv_multishot(sqe, op.fd, nullptr, 0, 0);
                    sqe->flags |= IOSQE_BUFFER_SELECT;
                    sqe->buf_group = internal::uring_buffer_ring::group;
                },
                [sqe](const send_op& op) { prepare_send(sqe, op); },
                [sqe](const readable_op& op) { io_uring_prep_poll_add(sqe, op.fd, POLLIN); },
                [sqe](const writable_op& op) { io_uring_prep_poll_add(sqe, op.fd, POLLOUT); },
                [sqe](const file_op& op) { internal::prepare_file_request(sqe, *op.request); },
            },
            waiter.submitted_op);
        io_uring_sqe_set_data(sqe, &waiter);
    }

    // MSG_WAITALL makes the kernel go on after a short send, so that one completion means all.
    static void prepare_send(io_uring_sqe* sqe, const send_op& op) noexcept {
        if (op.message->msg_iovlen == 1) {
            io_uring_prep_send(sqe, op.fd, op.message->msg_iov->iov_base,
                               op.message->msg_iov->iov_len, MSG_NOSIGNAL | MSG_WAITALL);
        } else {
            io_uring_prep_sendmsg(sqe, op.fd, op.message, MSG_NOSIGNAL | MSG_WAITALL);
        }
    }

    void ask_for_cancel(io_completion& waiter) noexcept {
        _cancels.ask(waiter);
        io_uring_sqe* sqe = next_sqe();
        io_uring_prep_cancel(sqe, &waiter, 0);
        io_uring_sqe_set_data64(sqe, std::uint64_t{waiter.cancel_number} << 2 | kind_of_cancel);
    }

    io_uring_sqe* next_sqe() noexcept {
        io_uring_sqe* sqe = io_uring_get_sqe(&_ring);
        while (sqe == nullptr) {  // Full: hand the batch over.
            check_submitted(io_uring_submit(&_ring));
            sqe = io_uring_get_sqe(&_ring);
        }
        return sqe;
    }

    // io_uring_enter(2) fails as a whole only for the reasons below; errors of single operations
    // come as completions.
    static void check_submitted(int result) noexcept {
        switch (-result) {
        case ETIME:   // The deadline has passed.
        case EINTR:   // A signal came.
        case EAGAIN:  // The kernel is short of memory: what was not taken is offered again.
        case EBUSY:   // The completion queue has overflown: reap first.
            return;
        default:
            MINISS_ASSERT(result >= 0);
        }
    }

    void arm_wake() noexcept {
        io_uring_sqe* sqe = next_sqe();
        io_uring_prep_read(sqe, _wake.fd, &_wake_count, sizeof _wake_count, 0);
        io_uring_sqe_set_data64(sqe, kind_of_wake);
    }

    bool reap() noexcept {
        bool completed = false;
        io_uring_cqe* entry = nullptr;
        // What comes meanwhile has its turn later: what we submit may complete at once.
        for (unsigned left = io_uring_cq_ready(&_ring);
             left > 0 && io_uring_peek_cqe(&_ring, &entry) == 0; --left) {
            const io_uring_cqe answer = *entry;  // The slot is free for the kernel from here on.
            io_uring_cqe_seen(&_ring, entry);
            switch (answer.user_data & kind_mask) {
            case kind_of_operation:
                complete(*reinterpret_cast<io_completion*>(answer.user_data), answer);
                completed = true;
                break;
            case kind_of_cancel:
                if (io_completion* again = _cancels.answered(
                        static_cast<unsigned>(answer.user_data >> 2), answer.res)) {
                    ask_for_cancel(*again);
                }
                break;
            case kind_of_wake:
                arm_wake();
                break;
            default:  // Whoever stops cancels all until nothing is left.
                break;
            }
        }
        completed |= _blocking.poll();
        return restart_starved() || completed;
    }

    void complete(io_completion& waiter, const io_uring_cqe& answer) noexcept {
        io_result result;
        result.value = answer.res;
        result.more = (answer.flags & IORING_CQE_F_MORE) != 0;
        if ((answer.flags & IORING_CQE_F_BUFFER) != 0) {
            const auto id = static_cast<std::uint16_t>(answer.flags >> IORING_CQE_BUFFER_SHIFT);
            const auto received_bytes = static_cast<std::size_t>(std::max(answer.res, 0));
            result.data = _buffers.take(id, received_bytes);
            if (result.data.size() != received_bytes) {
                drop_for_want_of_memory(waiter, result);
                return;
            }
        }
        if (!result.more && std::holds_alternative<receive_op>(waiter.submitted_op)) {
            go_on_receiving(waiter, std::move(result));
            return;
        }
        hand_over(waiter, std::move(result));
    }

    // The kernel has ended a receive. That may be for reasons of its own, and the stream goes on;
    // but a cancel that came too late to find the old operation must not be lost to the new one.
    void go_on_receiving(io_completion& waiter, io_result&& result) noexcept {
        if (result.value <= 0 && result.value != -ENOBUFS) {
            hand_over(waiter, std::move(result));
            return;
        }
        _buffers.use.starved_count += result.value == -ENOBUFS ? 1 : 0;
        if (waiter.cancel_asked) {
            _cancels.forget(waiter);  // The kernel has nothing left to cancel.
            _starved_and_cancelled.push_back(&waiter);
        } else {
            _starved.push_back(&waiter);
        }
        if (result.value > 0) {
            result.more = true;
            hand_over(waiter, std::move(result));
        }
    }

    void hand_over(io_completion& waiter, io_result&& result) noexcept {
        if (!result.more) {
            --_in_flight_count;
            waiter.under_way = false;
            _cancels.forget(waiter);
        }
        waiter.complete(std::move(result));
    }

    // Bytes of the stream are lost, so the stream must end: with ENOMEM, once the kernel is done.
    void drop_for_want_of_memory(io_completion& waiter, io_result& result) noexcept {
        if (result.more) {
            cancel(waiter);
            return;
        }
        result.value = -ENOMEM;
        hand_over(waiter, std::move(result));
    }

    // Everything that has completed by now has given its buffers back, or was copied.
    bool restart_starved() noexcept {
        if (_starved.empty() && _starved_and_cancelled.empty()) {
            return false;
        }
        for (io_completion* waiter : std::exchange(_starved, {})) {
            start(*waiter);
        }
        for (io_completion* waiter : std::exchange(_starved_and_cancelled, {})) {
            io_result result;
            result.value = -ECANCELED;
            hand_over(*waiter, std::move(result));
        }
        return true;
    }
};

}  // namespace

std::unique_ptr<io_backend> make_uring_backend(blocking_threads* threads) {
    return std::make_unique<uring_backend>(threads);
}

}  // namespace miniss
