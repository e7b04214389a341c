// How long one is willing to wait: for ever, for a while, until a moment, or until called off.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include <miniss/core/abort_source.hh>
#include <miniss/core/expiring.hh>

namespace miniss {

// What those get whose limit was a time. Each kind of waiting has its own derived from it.
struct timed_out_error : std::exception {
    const char* what() const noexcept override { return "timed out"; }
};

// An argument of everything that waits, made from a duration, from a time_point of the steady
// clock, or from an abort_source. What does not have to wait does not look at it.
//
// Lifetime: an abort_source may die before the one who waits; then nobody calls him off.
class wait_limit {
    enum class kind : unsigned char { never, delay, moment, abort };
    static constexpr std::int64_t never_nanoseconds = std::numeric_limits<std::int64_t>::max();

    kind _kind = kind::never;
    std::int64_t _nanoseconds = never_nanoseconds;
    abort_source* _source = nullptr;

public:
    wait_limit() noexcept = default;

    template <typename Rep, typename Period>
    wait_limit(std::chrono::duration<Rep, Period> delay) noexcept {  // NOLINT: converts.
        set(kind::delay, delay);
    }
    template <typename Duration>
    wait_limit(  // NOLINT: converts.
        std::chrono::time_point<std::chrono::steady_clock, Duration> moment) noexcept {
        set(kind::moment, moment.time_since_epoch());
    }
    wait_limit(abort_source& source) noexcept  // NOLINT: converts.
        : _kind(kind::abort), _source(&source) {}

    bool is_never() const noexcept { return _kind == kind::never; }

    // Null if this is about time.
    abort_source* source() const noexcept { return _source; }

    // The same limit with a delay counted from now: for those who wait several times under it.
    wait_limit started() const noexcept {
        wait_limit fixed = *this;
        fixed._nanoseconds = expiry();
        fixed._kind = _kind == kind::delay ? kind::moment : _kind;
        return fixed;
    }

    // Nanoseconds since the steady clock's epoch.
    std::int64_t expiry() const noexcept {
        if (_kind != kind::delay) {
            return _nanoseconds;
        }
        const std::int64_t now = internal::steady_nanoseconds();
        return _nanoseconds < never_nanoseconds - now ? now + _nanoseconds : never_nanoseconds;
    }

private:
    // What lies further ahead than the nanoseconds reach, never comes.
    template <typename Rep, typename Period>
    void set(kind what, std::chrono::duration<Rep, Period> time) noexcept {
        using seconds = std::chrono::duration<double>;
        constexpr seconds far{9.2e9};  // 2^63 ns are 9.22e9 s.
        if (seconds(time) < far) {
            _kind = what;
            _nanoseconds = seconds(time) < -far
                               ? -never_nanoseconds
                               : std::chrono::ceil<std::chrono::nanoseconds>(time).count();
        }
    }
};

}  // namespace miniss
