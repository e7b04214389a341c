#include <miniss/core/signal.hh>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include <miniss/core/reactor.hh>

namespace miniss {

namespace {

// Where the signal handler writes to. The only thing that a handler may touch.
std::atomic<int> write_end{-1};

extern "C" void miniss_pass_signal_on(int number) {
    const int saved_errno = errno;
    const auto byte = static_cast<unsigned char>(number);
    (void)!::write(write_end.load(), &byte, 1);
    errno = saved_errno;
}

// A pipe from the handler to the shard. Deletes itself when a signal has come.
class signal_waiter final : public io_completion {
    int _pipe[2] = {-1, -1};
    std::vector<std::pair<int, struct sigaction>> _previous;
    promise<int> _done;

public:
    explicit signal_waiter(std::initializer_list<int> signals) {
        MINISS_ASSERT(write_end.load() == -1);  // One call at a time.
        if (::pipe2(_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
            throw std::system_error(errno, std::system_category(), "pipe for signals");
        }
        write_end.store(_pipe[1]);
        struct sigaction action {};
        action.sa_handler = miniss_pass_signal_on;
        action.sa_flags = SA_RESTART;
        ::sigemptyset(&action.sa_mask);
        for (const int number : signals) {
            struct sigaction previous {};
            MINISS_ASSERT(::sigaction(number, &action, &previous) == 0);  // Else: no such signal.
            _previous.emplace_back(number, previous);
        }
    }
    signal_waiter(const signal_waiter&) = delete;
    signal_waiter& operator=(const signal_waiter&) = delete;
    ~signal_waiter() {
        for (const auto& [number, previous] : _previous) {
            ::sigaction(number, &previous, nullptr);
        }
        write_end.store(-1);
        engine().backend().sockets().close(_pipe[0]);
        (void)::close(_pipe[1]);
    }

    future<int> start() noexcept {
        auto done = _done.get_future();
        engine().backend().submit(readable_op{_pipe[0]}, *this);
        return done;
    }

    void complete(io_result&& result) noexcept override {
        unsigned char number = 0;
        if (result.value >= 0 && ::read(_pipe[0], &number, 1) == 1) {
            _done.set_value(number);
        } else {
            _done.set_exception(
                std::system_error(ECANCELED, std::system_category(), "wait for a signal"));
        }
        delete this;
    }
};

}  // namespace

future<int> wait_for_signal(std::initializer_list<int> signals) {
    try {
        return (new signal_waiter(signals))->start();
    } catch (...) {
        return current_exception_as_future<int>();
    }
}

}  // namespace miniss
