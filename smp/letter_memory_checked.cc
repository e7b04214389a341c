// For builds in which every use of memory is checked: nothing is kept, so that who uses a call that
// has ended is found out.
#include <miniss/smp/letter_memory.hh>

#include <new>

#include <miniss/core/assert.hh>

namespace miniss::internal {

letter_memory::~letter_memory() {
    MINISS_ASSERT(_kept == nullptr);
    MINISS_ASSERT(_kept_count == 0);
}

void* letter_memory::allocate(std::size_t bytes) { return ::operator new(bytes); }

void letter_memory::free(void* letter, std::size_t) noexcept { ::operator delete(letter); }

}  // namespace miniss::internal
