#include <miniss/tests/core/allocation_count.hh>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<unsigned long> allocated{0};
std::atomic<unsigned long> freed{0};
std::atomic<unsigned long> fails_at{0};  // What `allocated` becomes then.

void* allocate(std::size_t size_bytes) noexcept {
    const unsigned long count = allocated.fetch_add(1, std::memory_order_relaxed) + 1;
    if (count == fails_at.load(std::memory_order_relaxed)) {
        freed.fetch_add(1, std::memory_order_relaxed);  // Nothing lives.
        return nullptr;
    }
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

failing_allocation::failing_allocation(unsigned long after_count) noexcept {
    fails_at = allocated + after_count + 1;
}

failing_allocation::~failing_allocation() { fails_at = 0; }

bool failing_allocation::has_failed() const noexcept { return allocated >= fails_at; }

unsigned long allocation_count() noexcept { return allocated.load(std::memory_order_relaxed); }

long live_allocation_count() noexcept {
    return static_cast<long>(allocated.load(std::memory_order_relaxed)) -
           static_cast<long>(freed.load(std::memory_order_relaxed));
}

}  // namespace miniss
