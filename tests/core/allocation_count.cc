#include <miniss/tests/core/allocation_count.hh>

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<unsigned long> allocated{0};
std::atomic<unsigned long> freed{0};
std::atomic<long> live_bytes{0};
std::atomic<unsigned long> fails_at{0};  // What `allocated` becomes then.

// Counts `memory`, unless there is none or this is the one that is to fail; then it is null.
void* counted(void* memory) noexcept {
    if (memory == nullptr) {
        return nullptr;
    }
    const unsigned long count = allocated.fetch_add(1, std::memory_order_relaxed) + 1;
    if (count == fails_at.load(std::memory_order_relaxed)) {
        freed.fetch_add(1, std::memory_order_relaxed);  // Nothing lives.
        std::free(memory);
        return nullptr;
    }
    live_bytes.fetch_add(static_cast<long>(::malloc_usable_size(memory)),
                         std::memory_order_relaxed);
    return memory;
}

void* allocate(std::size_t size_bytes) noexcept {
    return counted(std::malloc(size_bytes != 0 ? size_bytes : 1));
}

void* allocate_aligned(std::size_t size_bytes, std::align_val_t alignment) {
    const auto bytes = static_cast<std::size_t>(alignment);
    void* memory = counted(std::aligned_alloc(bytes, (size_bytes + bytes - 1) / bytes * bytes));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
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
        live_bytes.fetch_sub(static_cast<long>(::malloc_usable_size(memory)),
                             std::memory_order_relaxed);
        std::free(memory);
    }
}

}  // namespace

// All forms that are in use, as a sanitizer would bring its own of those left out.
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
void* operator new(std::size_t size_bytes, std::align_val_t alignment) {
    return allocate_aligned(size_bytes, alignment);
}
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

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

long live_allocated_bytes() noexcept { return live_bytes.load(std::memory_order_relaxed); }

}  // namespace miniss
