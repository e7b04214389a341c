// For builds in which every use of memory is checked: nothing is kept, so that who uses a call that
// has ended is found out.
#include <new>

#include <miniss/smp/letter_memory.hh>

namespace miniss::internal {

letter_memory::~letter_memory() = default;

void* letter_memory::allocate(std::size_t bytes) { return ::operator new(bytes); }

void letter_memory::free(void* letter, std::size_t) noexcept { ::operator delete(letter); }

}  // namespace miniss::internal
