// A place where a long computation lets others run.
#pragma once

#include <miniss/core/coroutine.hh>

namespace miniss::coroutine {

// co_await maybe_yield() queues the coroutine behind what is ready to run if the time slice is over
// (need_preempt()), and goes on at once otherwise.
// Cost: one decrement; no future is made.
struct [[nodiscard]] maybe_yield {
    static bool await_ready() noexcept { return !need_preempt(); }
    template <typename Promise>
    static void await_suspend(std::coroutine_handle<Promise> frame,
                              code_location where = code_location::current()) noexcept {
        frame.promise().attached_at = where;
        schedule(frame.promise());
    }
    static void await_resume() noexcept {}
};

}  // namespace miniss::coroutine
