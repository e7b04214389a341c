// Waiting until somebody says that something has changed.
#pragma once

#include <miniss/core/loop.hh>
#include <miniss/core/waiter_queue.hh>

namespace miniss {

// What waiters get after broken().
struct broken_condition_variable : std::exception {
    const char* what() const noexcept override { return "condition variable broken"; }
};

// What they get when their time is over.
struct condition_variable_timed_out : timed_out_error {
    const char* what() const noexcept override { return "condition variable timed out"; }
};

// No lock comes with it: on one shard nothing changes between two tasks.
//
// Lifetime: waiters that are left when it dies get broken_condition_variable.
// Shard:    every call on the shard that created it.
// Errors:   condition_variable_timed_out; abort_requested_exception or the reason of the abort;
//           what broken() was called with; std::bad_alloc.
// Cost:     one allocation for each waiter.
class condition_variable final : private internal::waiter_queue {
    std::exception_ptr _broken;
    bool _signalled = false;  // While nobody was waiting.

public:
    condition_variable() noexcept = default;
    ~condition_variable();

    // Ready with the next signal(), or at once if there was one while nobody waited. What one
    // waits for may be gone by the time the continuation runs: see wait(limit, condition).
    future<> wait(const wait_limit& limit = {}) noexcept;

    // Waits until condition() is true. It is asked at once, and again after each signal.
    // Lifetime: `condition` is kept until the future is ready.
    template <std::predicate Condition>
    future<> wait(const wait_limit& limit, Condition condition,
                  code_location where = code_location::current()) noexcept {
        if (is_aborted(limit)) {
            return wait(limit);
        }
        return do_until(
            std::move(condition), [this, limit = limit.started()] { return wait(limit); }, where);
    }
    template <std::predicate Condition>
    future<> wait(Condition condition, code_location where = code_location::current()) noexcept {
        return wait({}, std::move(condition), where);
    }

    // The same under the names of those who co_await.
    template <typename... A>
    future<> when(A&&... args) noexcept {
        return wait(std::forward<A>(args)...);
    }

    // Lets the one go who has waited longest, or the next to come if nobody waits.
    void signal() noexcept;

    // Lets all go who wait now.
    void broadcast() noexcept { wake_all(); }

    // Fails all who wait, now and later.
    void broken(std::exception_ptr error) noexcept;
    void broken() noexcept;

    bool has_waiters() const noexcept { return !empty(); }

private:
    static bool is_aborted(const wait_limit& limit) noexcept {
        return limit.source() != nullptr && limit.source()->abort_requested();
    }
    std::exception_ptr timed_out() const noexcept override;
};

}  // namespace miniss
