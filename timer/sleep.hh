// Futures that become ready at a moment in time.
#pragma once

#include <miniss/core/future.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss {

// What a sleeper gets whose shard stops.
struct sleep_aborted : std::exception {
    const char* what() const noexcept override { return "sleep aborted"; }
};

namespace internal {

// Arms a promise for `expiry` on the clock; it deletes itself.
template <typename Clock>
class sleeper final : public expiring {
    promise<> _done;

public:
    explicit sleeper(typename Clock::time_point moment) noexcept {
        expiry = std::chrono::nanoseconds(moment.time_since_epoch()).count();
    }

    future<> start() noexcept {
        auto done = _done.get_future();
        if (local_timers().stopped()) {
            abandon();
        } else {
            local_timers().arm<Clock>(*this);
        }
        return done;
    }

    void expire() noexcept override {
        _done.set_value();
        delete this;
    }
    void abandon() noexcept override {
        _done.set_exception(sleep_aborted());
        delete this;
    }
};

}  // namespace internal

// Ready at `moment`, or at once if that has passed.
// Errors: sleep_aborted when the shard stops before.
template <typename Clock, typename Duration>
future<> sleep_until(std::chrono::time_point<Clock, Duration> moment) {
    return (new internal::sleeper<Clock>(moment))->start();
}

// Ready once `delay` has passed, never earlier. Errors: sleep_aborted when the shard stops before.
// Cost: one allocation.
template <typename Clock = steady_clock, typename Rep, typename Period>
future<> sleep(std::chrono::duration<Rep, Period> delay) {
    return sleep_until(local_timers().now<Clock>() +
                       std::chrono::ceil<typename Clock::duration>(delay));
}

}  // namespace miniss
