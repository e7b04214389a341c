// Which shard is this thread, and where are its parts? The only thread_local of the project.
#pragma once

#include <miniss/core/code_location.hh>
#include <miniss/core/free_lists.hh>
#include <miniss/core/stack_pool.hh>

namespace miniss {

class log_buffer;
class reactor;
class mailbox;
class task_list;
class timer_service;

namespace internal {

class fiber;

// Ties a task to its neighbours in a list; the two ends of a list meet in a link of its own.
struct task_link {
    task_link* _next;
    task_link* _previous;

    // Requires that it is in a list.
    void unlink() noexcept {
        _next->_previous = _previous;
        _previous->_next = _next;
    }
};

}  // namespace internal

// The parts of one shard, by name only: including this header pulls in none of them.
//
// A thread plays a shard while `this_shard` points to its context. A real shard's thread never
// changes it; a simulation plays many shards on one thread by swapping it.
struct shard_context {
    unsigned id = 0;
    // How many more times need_preempt() may say no before it looks at the clock.
    int preemption_credit = 0;
    // Where the task comes from that is running, or what else the shard is doing.
    code_location running = {};
    // The ends of the list of tasks that wait for a future, the latest first.
    internal::task_link waiting{&waiting, &waiting};
    // Those that are ready to run; the reactor's.
    task_list* ready = nullptr;
    reactor* loop = nullptr;
    timer_service* timers = nullptr;
    mailbox* mail = nullptr;
    internal::fiber* running_fiber = nullptr;  // See thread.hh.
    internal::stack_pool stacks{};
    internal::free_lists free_memory{};  // See task_memory.hh.
    log_buffer* log = nullptr;
};

// Null on a thread that plays no shard.
constinit inline thread_local shard_context* this_shard = nullptr;

// The number of the shard that runs the caller, 0 to smp::count - 1.
// Shard: must be called on one.
inline unsigned this_shard_id() noexcept { return this_shard->id; }

}  // namespace miniss
