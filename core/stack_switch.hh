// Tells sanitizers that another stack is in use from now on; without them it does nothing.
#pragma once

#include <miniss/core/stack_pool.hh>

namespace miniss::internal {

// One for each fiber. The calls come in this order: before_entering() outside, after_entering()
// inside, before_leaving() inside, after_leaving() outside, and again. The last two are told when
// it is for good.
struct stack_switch {
    // What the sanitizer knows the two by; not every one needs all of it.
    void* outside = nullptr;
    void* inside = nullptr;
    const void* outside_bottom = nullptr;
    std::size_t outside_bytes = 0;

    void before_entering(const stack_memory& stack) noexcept;
    void after_entering() noexcept;
    void before_leaving(bool for_good) noexcept;
    void after_leaving(const stack_memory& stack, bool for_good) noexcept;
};

}  // namespace miniss::internal
