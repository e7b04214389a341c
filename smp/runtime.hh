// Starts the shards, runs a program's main on shard 0, and stops them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <miniss/core/backend_choice.hh>
#include <miniss/core/future.hh>
#include <miniss/core/reactor_options.hh>
#include <miniss/smp/topology.hh>

namespace miniss {

// How the shards are to run. What is left empty follows from the machine, see place_shards().
struct runtime_options {
    std::optional<unsigned> shard_count = {};
    std::optional<std::vector<unsigned>> cpus = {};  // Only these.
    bool use_smt = false;                            // A shard for each SMT sibling.
    bool pin = true;
    backend_kind backend = backend_kind::automatic;
    reactor_options reactor = {};
    // How many threads run_in_pool() may have, 1 or more.
    unsigned pool_thread_count = 4;
    // A task that holds its shard longer than that is reported, see stall_detector. Zero: none is.
    std::chrono::milliseconds stall_limit{100};
    unsigned stall_reports_per_minute = 5;
    // What waits on the shards is printed when the process gets this signal. 0: none does that.
    int dump_signal = 0;
    // If not all shards have stopped so long after main has ended, the process reports who waits
    // for what, and aborts. Zero: it waits for ever.
    std::chrono::nanoseconds stop_deadline = std::chrono::seconds(30);
};

// What came out of the options.
struct runtime_facts {
    std::vector<shard_placement> placements = {};  // By shard.
    machine here = {};                             // As the thread saw it that called run().
    std::optional<double> cpu_quota = {};          // See read_cpu_quota().
    shard_count_rule count_rule = shard_count_rule::cores;
    backend_kind backend = backend_kind::automatic;  // Which one it is; no longer automatic.
    std::string backend_name = {};
    std::string why_not_io_uring = {};  // Empty if it is io_uring, or if epoll was asked for.
};

// Those of the runtime that is running.
// Shard: any, while main runs.
const runtime_facts& this_runtime() noexcept;

namespace internal {

// Has `main` run on shard 0; it calls main_has_ended(), and then all shards stop.
void run_shards(const runtime_options& options, task& main);
void main_has_ended() noexcept;

// The body of run(): calls main, and holds its result.
template <typename T, typename Func>
class main_task final : public waiting_task<T> {
    Func& _func;

public:
    explicit main_task(Func& func) noexcept
        : waiting_task<T>(code_location::named("main")), _func(func) {}

    void run_and_dispose() noexcept override {
        if (this->state.pending()) {
            futurize_invoke(_func).wait_with(*this);
        } else {
            main_has_ended();
        }
    }

    T take_result() {
        if (this->state.failed()) {
            std::rethrow_exception(this->state.take_error());
        }
        if constexpr (!std::is_void_v<T>) {
            return this->state.take_value();
        }
    }
};

}  // namespace internal

// Calls main() on shard 0, while shards run on all the CPUs that `options` ask for, and gives its
// result: what it returns, or what the future gives that it returns.
//
// The calling thread plays shard 0; the others get threads of their own, named miniss/1 and so on,
// which take no signals: those are left to the caller's thread. Before this returns the threads
// have ended, and the caller's has its name, its CPUs and its memory policy back. One runtime can
// run at a time; when it has ended another one can be started.
//
// When main's future is ready, calls from outside (alien.hh) are no longer taken, those that block
// (run_in_pool()) are waited for, and then all shards stop. Calls between them and their answers
// still arrive, but I/O and timers that somebody waits for are cancelled, and who still waits for
// something that can never come now gets an error (shard_stopped). Loops must have been ended by
// then: a shard runs until there is nothing left to run.
//
// Lifetime: main is used by reference.
// Errors:   what main throws or its future fails with. If the shards cannot be started, which means
//           that main is not called: std::runtime_error, one line for the user.
template <typename Func>
auto run(const runtime_options& options, Func&& main) {
    using result = futurize_t<std::invoke_result_t<std::remove_reference_t<Func>&>>;
    internal::main_task<typename result::value_type, std::remove_reference_t<Func>> body(main);
    internal::run_shards(options, body);
    return body.take_result();
}

// The same with what suits the machine.
template <typename Func>
auto run(Func&& main) {
    return run(runtime_options(), main);
}

}  // namespace miniss
