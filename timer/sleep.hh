// Futures that become ready at a moment in time.
#pragma once

#include <miniss/core/abort_source.hh>
#include <miniss/core/future.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss {

// What a sleeper gets who is woken early: his shard stops, or his sleep is aborted.
struct sleep_aborted : abort_requested_exception {
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
        auto done = _done.get_future(code_location::named("sleep"));
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

// The same, unless `source` is asked to abort before.
template <typename Clock>
class abortable_sleeper final : public expiring, abort_listener {
    promise<> _done;

public:
    future<> start(typename Clock::time_point moment, abort_source& source) noexcept {
        expiry = std::chrono::nanoseconds(moment.time_since_epoch()).count();
        auto done = _done.get_future(code_location::named("sleep"));
        if (source.abort_requested()) {
            on_abort(source.reason());
        } else if (local_timers().stopped()) {
            abandon();
        } else {
            source.add(*this);
            local_timers().arm<Clock>(*this);
        }
        return done;
    }

private:
    void expire() noexcept override {
        _done.set_value();
        delete this;
    }
    void abandon() noexcept override { on_abort({}); }
    void on_abort(const std::optional<std::exception_ptr>& reason) noexcept override {
        _done.set_exception(reason ? *reason : std::make_exception_ptr(sleep_aborted()));
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

// The same as sleep(), which a shard that stops always ends.
template <typename Clock = steady_clock, typename Rep, typename Period>
future<> sleep_abortable(std::chrono::duration<Rep, Period> delay) {
    return sleep<Clock>(delay);
}

// The same, ended early by request_abort(). Errors: sleep_aborted, or the reason that was named.
template <typename Clock = steady_clock, typename Rep, typename Period>
future<> sleep_abortable(std::chrono::duration<Rep, Period> delay, abort_source& source) {
    return (new internal::abortable_sleeper<Clock>())
        ->start(local_timers().now<Clock>() + std::chrono::ceil<typename Clock::duration>(delay),
                source);
}

}  // namespace miniss
