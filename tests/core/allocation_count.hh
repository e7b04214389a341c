// Counts allocations, and makes some fail: what headers say of costs and of bad_alloc are promises.
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
// The memory that they take up, as malloc rounds it up.
long live_allocated_bytes() noexcept;

// While it lives, fails one allocation: that which comes after so many others. For one thread.
class failing_allocation {
public:
    explicit failing_allocation(unsigned long after_count) noexcept;
    failing_allocation(const failing_allocation&) = delete;
    failing_allocation& operator=(const failing_allocation&) = delete;
    ~failing_allocation();

    // False if fewer were made until now.
    bool has_failed() const noexcept;
};

}  // namespace miniss
