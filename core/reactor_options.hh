// How a reactor differs from the default.
#pragma once

#include <chrono>
#include <cstdint>

namespace miniss {

struct reactor_options {
    // How long it looks for new work before it sleeps, where the last waits were shorter than a
    // quarter of that. Zero: sleep at once.
    std::chrono::nanoseconds idle_poll_time{20'000};

    // For tests. Not zero: the order of ready tasks and the moments of preemption are drawn from a
    // generator with this seed.
    std::uint64_t shuffle_seed = 0;

    // For tests that have a seed, to make it harder for them: some seeds preempt at every possible
    // point, and in a checked build tasks find ready futures pending now and then.
    bool provokes = false;
};

}  // namespace miniss
