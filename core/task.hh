// One piece of work that a shard will run once: a continuation, a loop, a letter from another
// shard. Everything that waits in a run queue is a task.
#pragma once

#include <boost/intrusive/slist_hook.hpp>

#include <miniss/core/this_shard.hh>

namespace miniss {

// Ownership: schedule() hands the task to its shard, run_and_dispose() gives it back to itself.
//            Nobody else may destroy it in between.
// Cost:      the link is part of the task, so queueing one neither fails nor allocates.
class task : public boost::intrusive::slist_base_hook<
                 boost::intrusive::link_mode<boost::intrusive::normal_link>> {
public:
    // Runs the work, then destroys *this or queues it again. Errors travel in futures.
    virtual void run_and_dispose() noexcept = 0;

protected:
    ~task() = default;  // run_and_dispose() destroys through the concrete type.
};

// Queues `work` behind everything that is ready to run on this shard.
void schedule(task& work) noexcept;

namespace internal {

// Looks at the clock and renews the credit. True when the time slice is over.
bool time_slice_is_over() noexcept;

}  // namespace internal

// True when the running task has used up its time slice (reactor::time_slice) and should queue
// itself again. Loops and co_await ask; then() does not.
// Cost: one decrement; the clock is read only every so many calls.
inline bool need_preempt() noexcept {
    return --this_shard->preemption_credit < 0 && internal::time_slice_is_over();
}

}  // namespace miniss
