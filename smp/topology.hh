// Which CPUs there are, which of them shards get, and how a thread is bound to its place.
//
// discover_machine() asks the system, place_shards() decides and asks nobody, bind_this_thread()
// carries it out.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace miniss {

// A CPU as the kernel counts them: a core, or one of the SMT siblings that share a core.
struct processing_unit {
    unsigned cpu;      // The number taskset and /proc use.
    unsigned core;     // Unique in the whole machine, not only in its package.
    unsigned package;  // Socket.
    unsigned node;     // The NUMA node with the memory nearest to it.
    bool allowed;      // May the calling thread run here, by its affinity and control groups?
};

// What this process sees of the machine.
struct machine {
    std::vector<processing_unit> units;  // In no particular order.
};

// A cache for data, and the CPUs that share it.
struct cpu_cache {
    unsigned level;  // 1 is the nearest.
    std::size_t size_bytes;
    std::vector<unsigned> cpus;
};

// Where one shard runs, and the node its memory comes from.
struct shard_placement {
    unsigned cpu;
    unsigned node;
    bool pinned;  // False: `cpu` is only a proposal, the kernel runs the shard where it likes.
};

// What the user asked for. What is left empty follows from the machine. Every member has an
// initializer, so that g++ does not miss the others in {.pin = false}.
struct placement_request {
    std::optional<unsigned> shard_count = {};
    std::optional<std::vector<unsigned>> cpus = {};  // Only these, in any order.
    bool use_smt = false;  // A shard for each SMT sibling, not for each core.
    bool pin = true;
    std::optional<double> cpu_quota = {};  // From read_cpu_quota().
};

// More than any machine has CPUs; each pair of shards has queues, so a mistyped number would
// otherwise take the memory before anything could complain.
inline constexpr unsigned shard_count_max = 4096;

// The machine as the calling thread sees it: CPUs that are off line are left out, CPUs that its
// affinity mask (taskset) or control group keeps from it are there, but not allowed.
// Errors: std::system_error if the system does not describe itself.
// Cost:   reads a few files per CPU below /sys: about 1 ms for 2 CPUs, 15 ms for 256.
//         The thread stays where it is.
machine discover_machine();

// The caches of the machine, without those whose size the system does not tell. Costs as much.
std::vector<cpu_cache> discover_caches();

// What decided how many shards there are.
enum class shard_count_rule {
    asked_for,  // shard_count.
    named_cpus,
    quota,
    siblings,  // use_smt.
    cores,
};

// What it is for these.
shard_count_rule find_shard_count_rule(const machine& here, const placement_request& request);

// One placement per shard, shard 0 first; the same input gives the same answer.
//
// Shards go to separate cores first, package by package and node by node, so that few shards are
// near each other; then to the siblings of those cores in the same order; and if there are still
// more shards, around again: a CPU may get several.
//
// How many: `shard_count` if given, else one for each CPU of `cpus` if given. Such wishes are met
// as they are. Else one per allowed core, or per allowed CPU with `use_smt`, but at most
// `cpu_quota` rounded down, and at least one: down, because shards that together want more than
// the quota are all stopped by the kernel until its next period (as a rule 100 ms), which costs
// more than the idle remainder; threads besides the shards have use for that. When it is the
// quota that sets the count, shards are not pinned: such a machine is shared by time, and
// neighbours that reason alike would all crowd onto its first cores.
//
// Errors: std::runtime_error, one line for the user: no shard or more than shard_count_max asked
//         for, a CPU named that does not exist or is not allowed, or no CPU left to run on.
std::vector<shard_placement> place_shards(const machine& here, const placement_request& request);

// Moves the calling thread to its CPU and has its memory come from that CPU's node as long as
// there is some; threads that it starts later inherit both. Does nothing if not pinned. Where the
// system allows no memory policy (as in most containers) there is none: memory then comes from
// the node of the CPU that touches it first, which for a pinned thread is nearly the same.
// Errors: std::system_error if the thread may not run there, or the kernel has no memory left.
void bind_this_thread(const shard_placement& placement);

}  // namespace miniss
