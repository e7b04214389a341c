#include <miniss/smp/stall_detector.hh>

#include <execinfo.h>
#include <fcntl.h>
#include <semaphore.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include <miniss/core/location_text.hh>
#include <miniss/core/log_writer.hh>

namespace miniss {

namespace {

constexpr std::chrono::milliseconds answer_limit{200};
constexpr int frame_count_max = 48;

// What the signal handler takes down. There is one for the process, as the handler may come late.
struct stack_sample {
    std::atomic<unsigned> asked{0};  // The number of a question; 0: there is none.
    std::atomic<unsigned> answered{0};
    code_location running;
    std::array<void*, frame_count_max> frames;
    int frame_count = 0;
    sem_t done;
};

stack_sample sample;

// The signal carries the number of its question: one that comes late must not answer another one,
// which was put to another shard.
extern "C" void miniss_sample_stack(int, siginfo_t* info, void*) {
    const int saved_errno = errno;
    unsigned question = sample.asked.load();
    if (question != 0 && info->si_code == SI_QUEUE &&
        static_cast<unsigned>(info->si_value.sival_int) == question && this_shard != nullptr &&
        sample.asked.compare_exchange_strong(question, 0)) {
        sample.running = this_shard->running;
        sample.frame_count = ::backtrace(sample.frames.data(), frame_count_max);
        sample.answered.store(question);
        ::sem_post(&sample.done);
    }
    errno = saved_errno;
}

// A real-time signal that nobody uses.
int take_over_signal() {
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
        struct sigaction present {};
        if (::sigaction(number, nullptr, &present) == 0 && present.sa_handler == SIG_DFL) {
            struct sigaction action {};
            action.sa_sigaction = miniss_sample_stack;
            action.sa_flags = SA_RESTART | SA_SIGINFO;
            ::sigemptyset(&action.sa_mask);
            ::sigaction(number, &action, nullptr);
            return number;
        }
    }
    throw std::system_error(EBUSY, std::system_category(), "no signal for the stall detector");
}

using run_times = stall_detector::run_times;

run_times read_run_times(int file) noexcept {
    char text[96];
    const ssize_t size = ::pread(file, text, sizeof text - 1, 0);
    if (size <= 0) {
        return {};
    }
    text[size] = '\0';
    long long used = 0;
    long long delayed = 0;
    return std::sscanf(text, "%lld %lld", &used, &delayed) == 2
               ? run_times{std::chrono::nanoseconds(used), std::chrono::nanoseconds(delayed)}
               : run_times{};
}

int open_run_times() noexcept {
    char name[64];
    (void)std::snprintf(name, sizeof name, "/proc/self/task/%d/schedstat",
                        static_cast<int>(::gettid()));
    return ::open(name, O_RDONLY | O_CLOEXEC);
}

long long in_milliseconds(std::chrono::nanoseconds time) noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

// True if the thread has answered.
bool take_sample(pthread_t thread, int signal) noexcept {
    static unsigned last_question = 0;
    const unsigned question = ++last_question;
    sample.asked.store(question);
    if (::pthread_sigqueue(thread, signal, {.sival_int = static_cast<int>(question)}) != 0) {
        return false;
    }
    timespec until{};
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += std::chrono::nanoseconds(answer_limit).count();
    until.tv_sec += until.tv_nsec / 1'000'000'000;
    until.tv_nsec %= 1'000'000'000;
    while (sample.answered.load() != question) {
        if (::sem_timedwait(&sample.done, &until) != 0 && errno != EINTR) {
            unsigned unanswered = question;
            // If the handler is at it already, it will be done in a moment.
            if (sample.asked.compare_exchange_strong(unanswered, 0)) {
                return false;
            }
            until.tv_sec += 1;
        }
    }
    return true;
}

}  // namespace

stall_detector::stall_detector(options chosen)
    : _options(chosen), _signal(take_over_signal()), _last_look(clock::now()) {
    void* warm_up = nullptr;
    (void)::backtrace(&warm_up, 1);  // The first call loads a library, which no handler may do.
    ::sem_init(&sample.done, 0, 0);
    const internal::signals_blocked in_thread;
    const int error = ::pthread_create(
        &_thread, nullptr,
        [](void* self) -> void* {
            (void)::pthread_setname_np(::pthread_self(), "miniss/stalls");
            static_cast<stall_detector*>(self)->live();
            return nullptr;
        },
        this);
    if (error != 0) {
        ::signal(_signal, SIG_DFL);
        throw std::system_error(error, std::system_category(), "thread of the stall detector");
    }
}

stall_detector::~stall_detector() {
    {
        const std::lock_guard held(_lock);
        _stopping = true;
    }
    _news.notify_one();
    ::pthread_join(_thread, nullptr);
    ::signal(_signal, SIG_DFL);
    ::sem_destroy(&sample.done);
}

void stall_detector::watch(reactor& shard) {
    sigset_t own;
    ::sigemptyset(&own);
    ::sigaddset(&own, _signal);
    ::pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
    watched added{.loop = &shard, .thread = ::pthread_self(), .run_times_file = open_run_times()};
    added.count = shard.pulse().count();
    added.since = clock::now();
    added.before = read_run_times(added.run_times_file);
    const std::lock_guard held(_lock);
    _watched.push_back(added);
    shard.pulse().set_watcher(this);
    _called = true;
    _news.notify_one();
}

void stall_detector::ignore(reactor& shard) noexcept {
    const std::lock_guard held(_lock);
    shard.pulse().set_watcher(nullptr);
    const auto found = std::find_if(_watched.begin(), _watched.end(),
                                    [&shard](const watched& each) { return each.loop == &shard; });
    if (found != _watched.end()) {
        (void)::close(found->run_times_file);
        _watched.erase(found);
    }
}

void stall_detector::call() noexcept {
    {
        const std::lock_guard held(_lock);
        _called = true;
    }
    _news.notify_one();
}

void stall_detector::live() noexcept {
    std::unique_lock held(_lock);
    while (!_stopping) {
        const bool any_awake = look();
        if (tell(held)) {
            continue;
        }
        if (any_awake) {
            _news.wait_for(held, std::chrono::microseconds(_options.limit) / 2,
                           [this] { return _stopping.load(); });
        } else {
            rest(held);
        }
    }
}

// Writes what was found; true if that was anything. Without the lock, as stderr may be slow, so
// that much may have happened by the end.
bool stall_detector::tell(std::unique_lock<std::mutex>& held) noexcept {
    if (_new_stall_count == 0) {
        return false;
    }
    const std::string text = std::exchange(_report, {});
    const unsigned report_count = std::exchange(_new_report_count, 0);
    const unsigned stall_count = std::exchange(_new_stall_count, 0);
    held.unlock();
    (void)internal::write_to_stderr(text, _stopping);
    _report_count.fetch_add(report_count);
    _stall_count.fetch_add(stall_count);
    held.lock();
    return true;
}

// Until a shard wakes up.
void stall_detector::rest(std::unique_lock<std::mutex>& held) noexcept {
    _called = false;
    rests.store(true);
    const bool all_asleep = std::all_of(_watched.begin(), _watched.end(), [](const watched& each) {
        return each.loop->pulse().count() == each.count;
    });
    if (all_asleep) {
        _news.wait(held, [this] { return _stopping || _called; });
    }
    rests.store(false);
}

// False if all shards have slept since the last look.
bool stall_detector::look() noexcept {
    _look_count.fetch_add(1);
    const auto now = clock::now();
    const bool was_away = now - _last_look > 4 * _options.limit;
    _last_look = now;
    bool any_awake = false;
    for (watched& each : _watched) {
        const std::uint64_t before = each.count;
        look_at(each, now, was_away);
        any_awake |= each.count != before || !internal::shard_pulse::is_asleep(each.count);
    }
    return any_awake;
}

void stall_detector::look_at(watched& each, clock::time_point now, bool was_away) noexcept {
    const std::uint64_t count = each.loop->pulse().count();
    if (internal::shard_pulse::is_asleep(count)) {
        each.count = count;
        return;
    }
    const run_times times = read_run_times(each.run_times_file);
    if (count != each.count || was_away) {
        each.count = count;
        each.since = now;
        each.before = times;
        each.reported = false;
        return;
    }
    if (!each.reported && held_for(each, times) >= _options.limit) {
        confirm(each);
    }
}

std::chrono::nanoseconds stall_detector::held_for(const watched& each,
                                                  const run_times& times) noexcept {
    return clock::now() - each.since - (times.delayed - each.before.delayed);
}

// The kernel says only afterwards that it did not let a thread run. So it is the thread itself that
// must confirm, by answering while it is still in the same turn.
void stall_detector::confirm(watched& each) noexcept {
    if (!take_sample(each.thread, _signal) || each.loop->pulse().count() != each.count) {
        return;
    }
    const run_times times = read_run_times(each.run_times_file);
    const auto held = held_for(each, times);
    if (held < _options.limit) {
        return;
    }
    each.reported = true;
    ++_new_stall_count;
    try {
        if (may_report()) {
            report(each, held, times.used - each.before.used);
            ++_new_report_count;
            return;
        }
    } catch (const std::bad_alloc&) {
        // Told with the next one.
    }
    ++_unreported_count;
}

bool stall_detector::may_report() noexcept {
    const auto now = clock::now();
    if (_reports_in_minute == 0 || now - _minute_began >= std::chrono::minutes(1)) {
        _minute_began = now;
        _reports_in_minute = 0;
    }
    return _reports_in_minute++ < _options.reports_per_minute;
}

void stall_detector::report(const watched& each, std::chrono::nanoseconds held,
                            std::chrono::nanoseconds used) {
    const internal::location_text place(sample.running);
    char head[320];
    (void)std::snprintf(
        head, sizeof head,
        "miniss: shard %u has been held for %lld ms (%lld ms of them on the CPU) by %s%s\n",
        each.loop->context().id, in_milliseconds(held), in_milliseconds(used),
        place.empty() ? "something unknown" : "what comes from ", place.c_str());
    _report += head;
    if (_unreported_count != 0) {
        _report += "  " + std::to_string(std::exchange(_unreported_count, 0)) +
                   " stalls before it were not reported\n";
    }
    constexpr int own_frame_count = 2;  // The handler, and what the kernel calls it through.
    const std::unique_ptr<char*, decltype(&std::free)> frames(
        ::backtrace_symbols(sample.frames.data(), sample.frame_count), &std::free);
    for (int i = own_frame_count; frames != nullptr && i < sample.frame_count; ++i) {
        _report.append(frames.get()[i]).append("\n");
    }
}

}  // namespace miniss
