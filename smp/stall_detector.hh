// Notices a task that holds its shard too long, and says where it comes from and what it is doing.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <string>

#include <pthread.h>

#include <miniss/core/reactor.hh>
#include <miniss/core/signals_blocked.hh>

namespace miniss {

// A thread that looks at the pulse of all shards, twice in each `limit`, and rests while all of
// them sleep. A shard that is awake and has not come round for as long as the limit gets a signal;
// its handler takes down what runs and the stack, and the detector prints that to stderr:
//
//     miniss: shard 0 has been held for 104 ms (104 ms of them on the CPU) by what comes from
//     apps/demo/main.cc:31
//       at apps/demo(+0x1234) [0x5581...]: addr2line -Cfe apps/demo 0x1234 names the line
//
// Time in which the kernel let others run does not count, nor time in which the detector itself
// was not let run, as under a debugger. A task is reported once.
//
// Why a thread and not a timer for each shard: a timer that follows the clock has to be set anew
// or ticks while its shard sleeps, one that follows the shard's CPU time misses what blocks, which
// is what holds shards most often. This way a shard does nothing that costs a system call, and a
// signal interrupts it only once it is late.
//
// Lifetime: outlives what it watches. One at a time in a process.
// Shard:    made and destroyed on a thread that plays none.
// Cost:     to a shard an addition each turn, and at most one wake-up of the thread in each limit;
//           two looks of a few microseconds in each limit while any shard is awake.
class stall_detector final : internal::pulse_watcher {
public:
    using clock = std::chrono::steady_clock;

    // When it reports, and how often.
    struct options {
        std::chrono::milliseconds limit{100};
        // What is beyond that is counted, and told with the next report.
        unsigned reports_per_minute = 5;
    };

    // Errors: std::system_error if there is no thread or no signal to be had.
    explicit stall_detector(options chosen);
    ~stall_detector();

    // From now on, and no longer, on the shard's own thread.
    void watch(reactor& shard);
    void ignore(reactor& shard) noexcept;

    // How often it has looked, found a stall and printed it. Any thread.
    unsigned long look_count() const noexcept { return _look_count.load(); }
    unsigned long stall_count() const noexcept { return _stall_count.load(); }
    unsigned long report_count() const noexcept { return _report_count.load(); }

    // How long a thread has been on a CPU, and how long it waited for one.
    struct run_times {
        std::chrono::nanoseconds used{0};
        std::chrono::nanoseconds delayed{0};
    };

private:
    struct watched {
        reactor* loop;
        pthread_t thread;
        int run_times_file;            // -1 if there is none.
        std::uint64_t count = 0;       // Its pulse when we last looked,
        clock::time_point since = {};  // since when it has been that,
        run_times before = {};         // and what the kernel said then.
        bool reported = false;
    };

    options _options;
    int _signal;
    std::mutex _lock;
    std::condition_variable _news;
    std::list<watched> _watched;
    std::atomic<bool> _stopping{false};
    bool _called = false;
    clock::time_point _last_look;
    clock::time_point _minute_began;
    unsigned _reports_in_minute = 0;
    unsigned _unreported_count = 0;
    std::string _report;  // Not written yet.
    unsigned _new_report_count = 0;
    unsigned _new_stall_count = 0;
    std::atomic<unsigned long> _look_count{0};
    std::atomic<unsigned long> _stall_count{0};
    std::atomic<unsigned long> _report_count{0};
    pthread_t _thread;

    void call() noexcept override;
    void live() noexcept;
    bool look() noexcept;
    bool tell(std::unique_lock<std::mutex>& held) noexcept;
    void rest(std::unique_lock<std::mutex>& held) noexcept;
    void look_at(watched& each, clock::time_point now, bool was_away) noexcept;
    void confirm(watched& each) noexcept;
    static std::chrono::nanoseconds held_for(const watched& each, const run_times& times) noexcept;
    bool may_report() noexcept;
    void report(const watched& each, std::chrono::nanoseconds held, std::chrono::nanoseconds used);
};

}  // namespace miniss
