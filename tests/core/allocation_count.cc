#include <miniss/tests/core/allocation_count.hh>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<unsigned long> allocated{0};
std::atomic<unsigned long> freed{0};

void* allocate(std::size_t size_bytes) noexcept {
    allocated.fetch_add(1, std::memory_order_relaxed);
    return std::malloc(size_bytes != 0 ? size_bytes : 1);
}

void* allocate_or_throw(std::size_t size_bytes) {
    void* memory = allocate(size_bytes);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

void release(void* memory) noexcept {
    if (memory != nullptr) {
        freed.fetch_add(1, std::memory_order_relaxed);
        std::free(memory);
    }
}

}  // namespace

// All forms but the aligned ones, as a sanitizer would bring its own of those left out.
void* operator new(std::size_t size_bytes) { return allocate_or_throw(size_bytes); }
void* operator new[](std::size_t size_bytes) { return allocate_or_throw(size_bytes); }
void* operator new(std::size_t size_bytes, const std::nothrow_t&) noexcept {
    return allocate(size_bytes);
}
void* operator new[](std::size_t size_bytes, const std::nothrow_t&) noexcept {
    return allocate(size_bytes);
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }

namespace miniss {

unsigned long allocation_count() noexcept { return allocated.load(std::memory_order_relaxed); }

long live_allocation_count() noexcept {
    return static_cast<long>(allocated.load(std::memory_order_relaxed)) -
           static_cast<long>(freed.load(std::memory_order_relaxed));
}

}  // namespace miniss
