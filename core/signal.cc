#include <miniss/core/signal.hh>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <miniss/core/reactor.hh>

namespace miniss {

namespace {

constexpr int signal_number_max = 64;

// By signal: the descriptor that its handler writes to, plus one; 0: it is not ours. The only
// thing that a handler may touch.
std::array<std::atomic<int>, signal_number_max + 1> write_ends{};

extern "C" void miniss_pass_signal_on(int number) {
    const int saved_errno = errno;
    const auto byte = static_cast<unsigned char>(number);
    const int end = write_ends[byte].load();
    if (end != 0) {
        (void)!::write(end - 1, &byte, 1);
    }
    errno = saved_errno;
}

[[noreturn]] void throw_errno(int error, const char* what) {
    throw std::system_error(error, std::system_category(), what);
}

// Has signals written into a pipe, as long as it lives.
class signal_pipe {
    int _ends[2] = {-1, -1};
    std::vector<std::pair<int, struct sigaction>> _previous;

public:
    explicit signal_pipe(std::span<const int> signals) {
        if (::pipe2(_ends, O_CLOEXEC | O_NONBLOCK) < 0) {
            throw_errno(errno, "pipe for signals");
        }
        try {
            for (const int number : signals) {
                take_over(number);
            }
        } catch (...) {
            give_back();
            throw;
        }
    }
    signal_pipe(const signal_pipe&) = delete;
    signal_pipe& operator=(const signal_pipe&) = delete;
    ~signal_pipe() { give_back(); }

    int read_end() const noexcept { return _ends[0]; }

    // The number of the next signal that has come, or 0.
    int next() noexcept {
        unsigned char number = 0;
        return ::read(_ends[0], &number, 1) == 1 ? number : 0;
    }

private:
    void take_over(int number) {
        if (number < 1 || number > signal_number_max) {
            throw_errno(EINVAL, "wait for a signal");
        }
        int nobody = 0;
        if (!write_ends[static_cast<unsigned>(number)].compare_exchange_strong(nobody,
                                                                               _ends[1] + 1)) {
            throw_errno(EBUSY, "wait for a signal");
        }
        _previous.emplace_back(number, no_action());
        struct sigaction action = no_action();
        action.sa_handler = miniss_pass_signal_on;
        action.sa_flags = SA_RESTART;
        ::sigemptyset(&action.sa_mask);
        if (::sigaction(number, &action, &_previous.back().second) < 0) {
            const int error = errno;
            write_ends[static_cast<unsigned>(number)] = 0;
            _previous.pop_back();
            throw_errno(error, "wait for a signal");
        }
    }

    static struct sigaction no_action() noexcept { return {}; }

    void give_back() noexcept {
        for (const auto& [number, previous] : _previous) {
            ::sigaction(number, &previous, nullptr);
            write_ends[static_cast<unsigned>(number)] = 0;
        }
        engine().backend().sockets().close(_ends[0]);
        (void)::close(_ends[1]);
    }
};

// Waits for the first signal, and deletes itself.
class signal_waiter final : public io_completion {
    signal_pipe _pipe;
    promise<int> _done;

public:
    explicit signal_waiter(std::span<const int> signals) : _pipe(signals) {}

    future<int> start() noexcept {
        auto done = _done.get_future(code_location::named("signal"));
        engine().backend().submit(readable_op{_pipe.read_end()}, *this);
        return done;
    }

    void complete(io_result&& result) noexcept override {
        const int number = result.value >= 0 ? _pipe.next() : 0;
        if (number != 0) {
            _done.set_value(number);
        } else if (_done.has_reader()) {
            _done.set_exception(
                std::system_error(ECANCELED, std::system_category(), "wait for a signal"));
        }
        delete this;
    }
};

// Calls the handler for each signal, and deletes itself when the shard stops.
class signal_listener final : public io_completion {
    signal_pipe _pipe;
    noncopyable_function<void()> _handler;

public:
    signal_listener(int number, noncopyable_function<void()>&& handler)
        : _pipe(std::span(&number, 1)), _handler(std::move(handler)) {}

    void start() noexcept { engine().backend().submit(readable_op{_pipe.read_end()}, *this); }

    void complete(io_result&& result) noexcept override {
        if (result.value < 0) {
            delete this;
            return;
        }
        if (_pipe.next() != 0) {
            call();
        }
        start();
    }

private:
    void call() noexcept {
        try {
            _handler();
        } catch (...) {
            internal::report_ignored_failure(std::current_exception());
        }
    }
};

}  // namespace

future<int> signal::wait_for(std::initializer_list<int> signals) {
    try {
        return (new signal_waiter(std::span(signals.begin(), signals.size())))->start();
    } catch (...) {
        return current_exception_as_future<int>();
    }
}

void handle_signal(int number, noncopyable_function<void()> handler) {
    MINISS_ASSERT(this_shard_id() == 0);  // Where a program's main is.
    (new signal_listener(number, std::move(handler)))->start();
}

}  // namespace miniss
