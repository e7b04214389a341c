// Work that is done again and again, at equal distances.
#pragma once

#include <miniss/core/loop.hh>
#include <miniss/smp/spawn.hh>
#include <miniss/timer/interval.hh>

namespace miniss {

// Calls func() on this shard once in each period, from the end of the first one, until func says
// stop_iteration::yes, fails, or the task is cancelled; stop() of the handle is the usual end. func
// returns nothing, a stop_iteration, or a future of these. A call begins when the one before has
// ended; what was missed by then is dropped.
//
// Lifetime: func is kept until the task has ended.
template <typename Clock = steady_clock, typename Rep, typename Period, typename Func>
join_handle<void> spawn_periodic(std::chrono::duration<Rep, Period> period, Func&& func,
                                 missed_ticks missed = missed_ticks::skip) {
    const auto distance = std::chrono::ceil<typename Clock::duration>(period);
    interval<Clock> rhythm(local_timers().now<Clock>() + distance, distance, missed);
    return task_builder()
        .name("periodic task")
        .spawn([rhythm, func = std::forward<Func>(func)](abort_source& abort) mutable {
            return repeat([&rhythm, &func, &abort] {
                return rhythm.tick(abort).then([&func](typename Clock::time_point) {
                    using result = futurize_t<std::invoke_result_t<std::decay_t<Func>&>>;
                    if constexpr (std::is_same_v<result, future<stop_iteration>>) {
                        return futurize_invoke(func);
                    } else {
                        return futurize_invoke(func).then([] { return stop_iteration::no; });
                    }
                });
            });
        });
}

}  // namespace miniss
