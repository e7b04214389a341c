// What hangs? The chains of tasks that wait, and what each of them waits for.
#pragma once

#include <cstddef>
#include <string>

#include <miniss/core/this_shard.hh>

namespace miniss {

// Prints to stderr what describe_tasks() and describe_pools() say of this shard, and so
// does SIGUSR1 for all shards of a program that is an app_template. No shard of run() waits for who
// reads that, see core/log.hh.
// Shard: any.
void dump_tasks() noexcept;

// The chains of tasks that wait on this shard, a line for each kind of chain:
//
//     miniss: shard 0: 10002 tasks wait, 0 are ready to run
//      10000 x receive <- net/http/connection.cc:61 <- net/http/server.cc:40
//          1 x sleep <- apps/demo/main.cc:20 <- apps/demo/main.cc:22
//          1 x promise of apps/demo/main.cc:31 <- apps/demo/main.cc:32
//
// Read "is waited for by": on the left is what the innermost task waits for, an operation by its
// name or a promise by the place where its future was asked for; then the places where tasks were
// attached, each of which waits for the one before. A chain is followed through then() and its
// relatives, loops, coroutines and do_with(), and up to the line where a fiber waits in get();
// when_all() waits for its futures one after the other. Where a promise is kept in an object and
// set by hand, one chain ends and another one begins.
//
// Kinds are sorted by how many chains there are of them, then by age. Of more than dumped_kinds_max
// the rest is counted, and so are the links of a chain behind the first dumped_links_max.
//
// Cost: a pass over all tasks that wait, some 100 ns each.
std::string describe_tasks(const shard_context& shard);

// Who holds memory of the shard's pools, and whether they suffice (see pool_statistics). A line for
// each pool that was used: for each size of task memory, for the buffers that the backend receives
// into, and for those of direct I/O, as far as it has them:
//
//     miniss: shard 0: receive buffers of 4096 bytes: 12 of 1024 held, 40 at most; 5000 taken, 4988
//     given back; 0 times there was none to spare, 0 times somebody waited for one
std::string describe_pools(const shard_context& shard);

namespace internal {

inline constexpr std::size_t dumped_kinds_max = 40;
inline constexpr std::size_t dumped_links_max = 16;

}  // namespace internal
}  // namespace miniss
