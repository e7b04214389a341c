// A limit to how long one waits.
#pragma once

#include <memory>

#include <miniss/core/future.hh>
#include <miniss/core/wait_limit.hh>
#include <miniss/timer/timer.hh>

namespace miniss {

namespace internal {

template <typename Clock, typename T>
struct timeout_state {
    promise<T> result;
    timer<Clock> limit;

    timeout_state() : limit([this] { result.set_exception(timed_out_error()); }) {}
};

}  // namespace internal

// Gives the result of `work`, or timed_out_error if there is none at `moment`. That does not
// cancel the work: it goes on, and its late result, also an error, is dropped.
// Cost: two allocations if the work is pending.
template <typename Clock, typename Duration, typename T>
future<T> with_timeout(std::chrono::time_point<Clock, Duration> moment, future<T> work) {
    if (work.available()) {
        return work;
    }
    auto state = std::make_unique<internal::timeout_state<Clock, T>>();
    auto result = state->result.get_future(code_location::named("with_timeout"));
    state->limit.arm(moment);
    (void)work.then_wrapped(
        [state = std::move(state)](future<T> ended) noexcept {
            if (state->limit.cancel()) {
                ended.forward_to(std::move(state->result));
            } else {
                ended.ignore_ready_future();
            }
        },
        code_location::named("with_timeout"));
    return result;
}

// The same, counted from now.
template <typename Clock = steady_clock, typename Rep, typename Period, typename T>
future<T> with_timeout(std::chrono::duration<Rep, Period> limit, future<T> work) {
    return with_timeout(
        local_timers().now<Clock>() + std::chrono::ceil<typename Clock::duration>(limit),
        std::move(work));
}

// The same by a shorter name, and what future::with_timeout() calls.
template <typename Rep, typename Period, typename T>
future<T> timeout(std::chrono::duration<Rep, Period> limit, future<T> work) {
    return with_timeout(limit, std::move(work));
}

}  // namespace miniss
