// A rhythm: moments at equal distances that one can wait for, one after the other.
#pragma once

#include <miniss/timer/sleep.hh>

namespace miniss {

// What becomes of ticks that were missed: those whose successor is due already by the time that
// they are asked for.
enum class missed_ticks {
    burst,  // They are made up for at once, so that in the end there are as many as there should
            // be.
    delay,  // The rhythm starts again from now.
    skip,   // They are dropped; the rhythm stays.
};

// Lifetime: may be destroyed, but not moved, while a tick is waited for.
// Shard:    the one that made it. One tick at a time.
// Cost:     one allocation for each tick that is not due yet.
template <typename Clock = steady_clock>
class interval {
public:
    using clock = Clock;
    using time_point = typename Clock::time_point;
    using duration = typename Clock::duration;

    // The first tick is due at once.
    explicit interval(duration period, missed_ticks missed = missed_ticks::burst)
        : interval(local_timers().now<Clock>(), period, missed) {}
    interval(time_point first, duration period, missed_ticks missed = missed_ticks::burst)
        : _next(first), _period(period), _missed(missed) {
        MINISS_ASSERT(period > duration::zero());
    }

    // Ready at the next moment of the rhythm, or at once if that has passed, with the moment for
    // which it was due. Lateness does not add up: moments are counted from the first one.
    // Errors: sleep_aborted when the shard stops before.
    future<time_point> tick() {
        return next_tick([](time_point due) { return sleep_until(due); });
    }

    // The same, ended early by request_abort(). Errors: also sleep_aborted, or the reason that was
    // named.
    future<time_point> tick(abort_source& source) {
        if (source.abort_requested()) {
            return make_exception_future<time_point>(source.get_exception());
        }
        return next_tick([&source](time_point due) {
            return (new internal::abortable_sleeper<Clock>())->start(due, source);
        });
    }

    // Starts again: the next tick is due in one period.
    void reset() { _next = local_timers().now<Clock>() + _period; }

    duration period() const noexcept { return _period; }

private:
    template <typename Sleep>
    future<time_point> next_tick(Sleep&& sleep_until_due) {
        const time_point due = _next;
        const auto now = local_timers().now<Clock>();
        if (due <= now) {
            _next = successor(due, now);
            return make_ready_future<time_point>(due);
        }
        _next = due + _period;
        return sleep_until_due(due).then([due] { return due; });
    }

    time_point successor(time_point due, time_point now) const noexcept {
        const time_point next = due + _period;
        if (next > now || _missed == missed_ticks::burst) {
            return next;
        }
        if (_missed == missed_ticks::delay) {
            return now + _period;
        }
        return next + ((now - next) / _period + 1) * _period;
    }

    time_point _next;
    duration _period;
    missed_ticks _missed;
};

}  // namespace miniss
