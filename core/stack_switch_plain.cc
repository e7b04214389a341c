// Without sanitizers nobody needs to be told about stacks.
#include <miniss/core/stack_switch.hh>

namespace miniss::internal {

void stack_switch::before_entering(const stack_memory&) noexcept {}
void stack_switch::after_entering() noexcept {}
void stack_switch::before_leaving(bool) noexcept {}
void stack_switch::after_leaving(const stack_memory&, bool) noexcept {}

}  // namespace miniss::internal
