// One piece of work that a shard will run once: a continuation, a loop, a letter from another
// shard. Everything that waits in a run queue is a task.
#pragma once

#include <miniss/core/assert.hh>
#include <miniss/core/checked_build.hh>
#include <miniss/core/task_memory.hh>

namespace miniss {

class task;

namespace internal {

// How a task that waits is tied into a chain; see core/dump_tasks.hh.
struct task_ties {
    // What it waits for, where no other task makes that. May dangle unless it waits for a future.
    const code_location* source = nullptr;
    // Who waits for what it makes; null if nobody does, or if that is not known.
    const task* waiter = nullptr;
};

}  // namespace internal

// Ownership: schedule() hands the task to its shard, run_and_dispose() gives it back to itself.
//            Nobody else may destroy it in between.
// Cost:      the link is part of the task, so queueing one neither fails nor allocates.
class task : public internal::task_link, public internal::in_task_memory {
public:
    // Where in the program it was attached or started, for reports.
    code_location attached_at;

    // Runs the work, then destroys *this or queues it again. Errors travel in futures.
    virtual void run_and_dispose() noexcept = 0;

    virtual internal::task_ties ties() const noexcept { return {}; }

protected:
    task() noexcept {}
    explicit task(code_location where) noexcept : attached_at(where) {}
    // What is linked is the other one.
    task(const task& other) noexcept : attached_at(other.attached_at) {}
    task& operator=(const task&) noexcept { return *this; }
    ~task() = default;  // run_and_dispose() destroys through the concrete type.
};

// Tasks in a row, first in, first out. Does not own them.
// Cost: nothing allocates; a few instructions each.
class task_list {
    internal::task_link _ends{&_ends, &_ends};

public:
    task_list() noexcept = default;
    task_list(task_list&& other) noexcept { append(other); }
    task_list& operator=(task_list&&) = delete;

    bool empty() const noexcept { return _ends._next == &_ends; }
    // Requires !empty().
    task& front() const noexcept { return static_cast<task&>(*_ends._next); }

    void push_back(task& added) noexcept {
        added._next = &_ends;
        added._previous = _ends._previous;
        _ends._previous->_next = &added;
        _ends._previous = &added;
    }

    // Requires !empty().
    void pop_front() noexcept { _ends._next->unlink(); }

    // Requires that it is in some list.
    static void remove(task& removed) noexcept { removed.unlink(); }

    // Moves all of `other` behind what is here.
    void append(task_list& other) noexcept {
        if (other.empty()) {
            return;
        }
        other._ends._next->_previous = _ends._previous;
        _ends._previous->_next = other._ends._next;
        other._ends._previous->_next = &_ends;
        _ends._previous = other._ends._previous;
        other._ends = {&other._ends, &other._ends};
    }

    // Calls visit(task&) for each, from the front.
    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (auto* link = _ends._next; link != &_ends; link = link->_next) {
            visit(static_cast<task&>(*link));
        }
    }
};

// Queues `work` behind everything that is ready to run on this shard.
inline void schedule(task& work) noexcept {
    MINISS_ASSERT(this_shard != nullptr);  // Otherwise: not on a shard.
    this_shard->ready->push_back(work);
}

namespace internal {

// Every task that waits for a future is in its shard's list of them, which costs no memory: its
// link is idle until it is ready to run. That is what dump_tasks() and the gdb script walk. The
// alternative is to walk from what makes futures ready: timers, operations, mail, semaphores. It
// costs nothing here, but it needs a list of each of those and misses what hangs most often, a
// promise that somebody has forgotten.
//
// Cost: six stores and three loads for both, mostly in this core's cache: the latest is first.
inline void begin_to_wait(task& waiter) noexcept {
    task_link& ends = this_shard->waiting;
    waiter._next = ends._next;
    waiter._previous = &ends;
    ends._next->_previous = &waiter;
    ends._next = &waiter;
}

// Ends that, and queues the task.
inline void wake(task& waiter) noexcept {
    waiter.unlink();
    schedule(waiter);
}

// Looks at the clock and renews the credit. True when the time slice is over.
bool time_slice_is_over() noexcept;

bool draw_deferral() noexcept;

// Whether a future that is ready shall be treated as if it were pending: sometimes, in a checked
// build, where reactor_options::provokes.
inline bool deferred_by_chance() noexcept {
    if constexpr (is_checked_build) {
        return draw_deferral();
    } else {
        return false;
    }
}

}  // namespace internal

// True when the running task has used up its time slice (reactor::time_slice) and should queue
// itself again. Loops and co_await ask; then() does not.
// Cost: one decrement; the clock is read only every so many calls.
inline bool need_preempt() noexcept {
    return --this_shard->preemption_credit < 0 && internal::time_slice_is_over();
}

}  // namespace miniss
