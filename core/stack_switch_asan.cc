// Tells AddressSanitizer about stacks, and about what is left on one that is used again.
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#include <miniss/core/stack_switch.hh>

namespace miniss::internal {

void stack_switch::before_entering(const stack_memory& stack) noexcept {
    __sanitizer_start_switch_fiber(&outside, stack.bottom, stack.size_bytes);
}

void stack_switch::after_entering() noexcept {
    __sanitizer_finish_switch_fiber(inside, &outside_bottom, &outside_bytes);
}

void stack_switch::before_leaving(bool for_good) noexcept {
    __sanitizer_start_switch_fiber(for_good ? nullptr : &inside, outside_bottom, outside_bytes);
}

void stack_switch::after_leaving(const stack_memory& stack, bool for_good) noexcept {
    __sanitizer_finish_switch_fiber(outside, nullptr, nullptr);
    if (for_good) {
        __asan_unpoison_memory_region(stack.bottom, stack.size_bytes);
    }
}

}  // namespace miniss::internal
