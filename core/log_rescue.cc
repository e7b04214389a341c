#include <miniss/core/log_rescue.hh>

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#include <miniss/core/log_writer.hh>

namespace miniss {

namespace {

constexpr int deadly_signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

std::atomic<const log_writer*> rescued{nullptr};

// The writer's thread does the work, so this may be called where nearly nothing is allowed.
void wait_until_written() noexcept {
    for (int looks_left = 1000; looks_left != 0; --looks_left) {
        const log_writer* writer = rescued.load();
        if (writer == nullptr || !writer->has_unwritten()) {
            return;
        }
        timespec millisecond{.tv_sec = 0, .tv_nsec = 1'000'000};
        (void)::nanosleep(&millisecond, nullptr);
    }
}

// The system has put back what the signal usually does. Whoever has brought it about himself
// repeats that on his return; what was sent must be sent again.
extern "C" void miniss_rescue_log(int number, siginfo_t* info, void*) {
    const int saved_errno = errno;
    wait_until_written();
    if (info->si_code <= 0) {
        (void)::raise(number);
    }
    errno = saved_errno;
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == miniss_rescue_log;
}

bool is_usual(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

}  // namespace

void internal::rescue_log(const log_writer* of) noexcept {
    static const int registered = std::atexit(wait_until_written);
    (void)registered;
    rescued.store(of);
    struct sigaction wanted {};
    if (of == nullptr) {
        wanted.sa_handler = SIG_DFL;
    } else {
        wanted.sa_sigaction = miniss_rescue_log;
        wanted.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
    }
    for (const int number : deadly_signals) {
        struct sigaction present {};
        if (::sigaction(number, nullptr, &present) == 0 &&
            (of == nullptr ? is_ours(present) : is_usual(present))) {
            (void)::sigaction(number, &wanted, nullptr);
        }
    }
}

// What the kernel itself needs, to keep the registers, depends on the CPU.
internal::rescue_stack::rescue_stack() noexcept {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) {
        return;
    }
    constexpr std::size_t ours_bytes = std::size_t{16} * 1024;
    const long of_kernel_bytes = ::sysconf(_SC_MINSIGSTKSZ);
    const std::size_t size_bytes =
        ours_bytes + static_cast<std::size_t>(std::max(of_kernel_bytes, 0L));
    _memory.reset(new (std::nothrow) std::byte[size_bytes]);
    if (_memory == nullptr) {
        return;
    }
    const stack_t wanted{.ss_sp = _memory.get(), .ss_flags = 0, .ss_size = size_bytes};
    (void)::sigaltstack(&wanted, nullptr);
}

internal::rescue_stack::~rescue_stack() {
    if (_memory != nullptr) {
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        (void)::sigaltstack(&none, nullptr);
    }
}

}  // namespace miniss
