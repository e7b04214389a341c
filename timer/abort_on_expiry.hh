// An abort_source that goes off by itself: a time limit for everything that takes one.
#pragma once

#include <miniss/core/abort_source.hh>
#include <miniss/timer/timer.hh>

namespace miniss {

// Lifetime: must outlive the work that is to be aborted; destroying it calls the limit off.
// Shard:    the one that made it.
template <typename Clock = steady_clock>
class abort_on_expiry {
    class abort_source _source;
    timer<Clock> _limit{[this] { _source.request_abort(); }};

public:
    using clock = Clock;
    using time_point = typename Clock::time_point;

    explicit abort_on_expiry(time_point moment) { _limit.arm(moment); }
    abort_on_expiry(const abort_on_expiry&) = delete;
    abort_on_expiry& operator=(const abort_on_expiry&) = delete;

    class abort_source& abort_source() noexcept { return _source; }
};

}  // namespace miniss
