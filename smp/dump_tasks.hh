// dump_tasks() of every shard.
#pragma once

#include <miniss/core/dump_tasks.hh>
#include <miniss/core/future.hh>

namespace miniss {

// Has every shard print what waits there, see core/dump_tasks.hh. A shard that is held by a task
// prints when it comes round.
// Shard:  any, of a runtime.
// Errors: shard_stopped if one stops before.
future<> dump_tasks_of_all_shards() noexcept;

namespace internal {

// Does that each time the process gets the signal. If there are no descriptors for that, the signal
// stays what it is.
// Shard: 0.
void dump_tasks_on_signal(int number) noexcept;

}  // namespace internal
}  // namespace miniss
