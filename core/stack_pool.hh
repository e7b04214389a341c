// The stacks of fibers: mapped from the kernel, with a page below that must not be touched, and
// kept by the shard for its next fiber.
#pragma once

#include <cstddef>

namespace miniss::internal {

// From `bottom` to `top`, which is where a stack begins.
struct stack_memory {
    std::byte* bottom = nullptr;
    std::size_t size_bytes = 0;

    std::byte* top() const noexcept { return bottom + size_bytes; }
};

// Shard: one thread at a time.
class stack_pool {
    struct kept_stack;
    kept_stack* _kept = nullptr;
    unsigned _kept_count = 0;

public:
    // How many unused stacks are kept at most.
    static constexpr unsigned kept_max = 64;

    stack_pool() noexcept = default;
    stack_pool(const stack_pool&) = delete;
    stack_pool& operator=(const stack_pool&) = delete;
    ~stack_pool();

    // A stack of at least so many bytes: whole pages. Touching what lies below it ends the process.
    // Errors: throws std::system_error.
    stack_memory take(std::size_t size_bytes);

    // Takes a stack back on which nothing runs any more.
    void give_back(stack_memory stack) noexcept;

    unsigned kept_count() const noexcept { return _kept_count; }
};

}  // namespace miniss::internal
