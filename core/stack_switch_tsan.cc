// Tells ThreadSanitizer, which keeps a stack of calls of its own for each fiber.
#include <sanitizer/tsan_interface.h>

#include <miniss/core/stack_switch.hh>

namespace miniss::internal {

// Those that switch are not watched: they begin with one stack of calls and end with another.
__attribute__((no_sanitize("thread"))) void stack_switch::before_entering(
    const stack_memory&) noexcept {
    outside = __tsan_get_current_fiber();
    if (inside == nullptr) {
        inside = __tsan_create_fiber(0);
    }
    __tsan_switch_to_fiber(inside, 0);
}

void stack_switch::after_entering() noexcept {}

// The last time, functions are still to return before the fiber is left.
__attribute__((no_sanitize("thread"))) void stack_switch::before_leaving(bool for_good) noexcept {
    if (!for_good) {
        __tsan_switch_to_fiber(outside, 0);
    }
}

__attribute__((no_sanitize("thread"))) void stack_switch::after_leaving(const stack_memory&,
                                                                        bool for_good) noexcept {
    if (for_good) {
        __tsan_switch_to_fiber(outside, 0);
        __tsan_destroy_fiber(inside);
    }
}

}  // namespace miniss::internal
