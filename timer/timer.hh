// Callbacks at a moment in time.
#pragma once

#include <optional>
#include <utility>

#include <miniss/core/noncopyable_function.hh>
#include <miniss/core/report.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss {

// Calls a function once at or after a moment, never before it, or again and again.
//
// The callback may arm, cancel or destroy other timers, also those due at the same moment, and arm
// or cancel this one; it may destroy this one as its last act. What it throws is reported as an
// ignored failure. A timer that is armed when its shard stops never fires.
//
// Lifetime: destroying an armed timer cancels it; moving one keeps it armed.
// Shard:    belongs to the one that arms it.
// Cost:     arming and cancelling are O(1) and allocate nothing.
template <typename Clock = steady_clock>
class timer final : internal::expiring {
    noncopyable_function<void()> _callback;
    std::optional<typename Clock::duration> _period;

public:
    using clock = Clock;
    using time_point = typename Clock::time_point;
    using duration = typename Clock::duration;

    timer() noexcept = default;
    explicit timer(noncopyable_function<void()> callback) noexcept
        : _callback(std::move(callback)) {}
    timer(timer&&) noexcept = default;

    void set_callback(noncopyable_function<void()> callback) noexcept {
        _callback = std::move(callback);
    }

    // Must not be armed. With a period it goes on at that distance; moments that have been missed
    // by then are skipped.
    void arm(time_point expiry_time, std::optional<duration> period = {}) noexcept {
        MINISS_ASSERT(!armed());
        _period = period;
        set_expiry(expiry_time);
        local_timers().arm<Clock>(*this);
    }
    void arm(duration delay) noexcept { arm(local_timers().now<Clock>() + delay); }
    void arm_periodic(duration period) noexcept {
        arm(local_timers().now<Clock>() + period, period);
    }

    // The same for one that may be armed.
    void rearm(time_point expiry_time, std::optional<duration> period = {}) noexcept {
        cancel();
        arm(expiry_time, period);
    }
    void rearm(duration delay) noexcept { rearm(local_timers().now<Clock>() + delay); }
    void rearm_periodic(duration period) noexcept {
        rearm(local_timers().now<Clock>() + period, period);
    }

    // True if the callback was to come, and now will not.
    bool cancel() noexcept {
        if (!armed()) {
            return false;
        }
        unlink();
        return true;
    }

    bool armed() const noexcept { return is_linked(); }

    // When the callback will be called, or was last to be called.
    time_point get_timeout() const noexcept {
        return time_point(
            std::chrono::duration_cast<duration>(std::chrono::nanoseconds(this->expiry)));
    }

private:
    void set_expiry(time_point moment) noexcept {
        this->expiry = std::chrono::nanoseconds(moment.time_since_epoch()).count();
    }

    void expire() noexcept override {
        if (_period) {
            const auto now = local_timers().now<Clock>();
            auto next = get_timeout() + *_period;
            if (next <= now) {
                next += (now - next) / *_period * *_period + *_period;
            }
            set_expiry(next);
            local_timers().arm<Clock>(*this);
        }
        try {
            _callback();
        } catch (...) {
            internal::report_ignored_failure(std::current_exception());
        }
    }
};

}  // namespace miniss
