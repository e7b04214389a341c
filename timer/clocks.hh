// The clocks that timers run by.
#pragma once

#include <atomic>
#include <chrono>

#include <miniss/core/reactor.hh>

namespace miniss {

// The moment at which this turn of the shard began: for the many who need to know the time only
// roughly. Timers by this clock count from there, so they may come early by up to a time slice.
// Shard: must be called on one.
// Cost:  one load.
class lowres_clock {
public:
    using duration = steady_clock::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<lowres_clock, duration>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept { return time_point(engine().now().time_since_epoch()); }
};

// A clock for tests: it stands still until it is told to go on.
// Shard: any. Timers of other shards notice at their next turn.
class manual_clock {
public:
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<manual_clock, duration>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
        return time_point(duration(_ticks.load(std::memory_order_relaxed)));
    }

    // Timers that are due by then run in the next turn.
    static void advance(duration by) noexcept {
        _ticks.fetch_add(by.count(), std::memory_order_relaxed);
    }

private:
    inline static std::atomic<rep> _ticks{0};
};

}  // namespace miniss
