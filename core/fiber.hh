// What the library knows of a fiber: it can be suspended, and it is the task that goes on with it.
#pragma once

#include <miniss/core/suspended_task.hh>

namespace miniss::internal {

class fiber : public suspended_task {
public:
    // Returns to whoever lets the fiber run; comes back when the fiber is run as a task again.
    // Requires that it is the one that runs.
    virtual void suspend() noexcept = 0;

    task_ties ties() const noexcept override { return tied_to(nullptr); }

protected:
    ~fiber() = default;
};

// Whether the caller runs in a fiber, and may wait.
inline bool runs_in_fiber() noexcept {
    return this_shard != nullptr && this_shard->running_fiber != nullptr;
}

// Suspends the fiber that runs until `pending` is ready. Not inlined, as it would weigh on every
// place where a result is taken.
template <typename Future>
[[gnu::noinline, gnu::cold]] void wait_in_fiber(Future& pending, code_location where) noexcept {
    MINISS_ASSERT(pending.available() || runs_in_fiber());
    fiber& waiter = *this_shard->running_fiber;
    waiter.await(pending, where);
    waiter.suspend();
}

}  // namespace miniss::internal
