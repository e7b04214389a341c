// Which shard is this thread, and where are its parts? The only thread_local of the project.
#pragma once

namespace miniss {

class reactor;
class mailbox;
class timer_service;

// The parts of one shard, by name only: including this header pulls in none of them.
//
// A thread plays a shard while `this_shard` points to its context. A real shard's thread never
// changes it; a simulation plays many shards on one thread by swapping it.
struct shard_context {
    unsigned id = 0;
    // How many more times need_preempt() may say no before it looks at the clock.
    int preemption_credit = 0;
    reactor* loop = nullptr;
    timer_service* timers = nullptr;
    mailbox* mail = nullptr;
};

// Null on a thread that plays no shard.
constinit inline thread_local shard_context* this_shard = nullptr;

// The number of the shard that runs the caller, 0 to smp::count - 1.
// Shard: must be called on one.
inline unsigned this_shard_id() noexcept { return this_shard->id; }

}  // namespace miniss
