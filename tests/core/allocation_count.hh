// Counts the allocations of the core tests: the cost notes of the headers are promises.
#pragma once

namespace miniss {

// How often operator new was called so far, on any thread.
unsigned long allocation_count() noexcept;

// Allocations since it was made.
class allocations_since {
    unsigned long _before = allocation_count();

public:
    unsigned long count() const noexcept { return allocation_count() - _before; }
};

// Allocations that were not freed yet.
long live_allocation_count() noexcept;

}  // namespace miniss
