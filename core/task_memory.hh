// Where the memory of tasks and small buffers comes from: from the free lists of the shard that
// runs.
//
// A block belongs to no shard in particular: whoever frees it keeps it for his own next task, or
// gives it back to operator delete if he has enough, or is no shard. The process-wide malloc stays
// what it is.
//
// Shard:  any, and threads that are none.
// Errors: std::bad_alloc, as operator new.
// Cost:   a few instructions for blocks of up to 1,024 bytes, or of 8,161 to 8,192, once the lists
//         have filled.
#pragma once

#include <miniss/core/free_lists.hh>
#include <miniss/core/this_shard.hh>

namespace miniss {

namespace internal {

inline void* take_from_lists(std::size_t bytes) noexcept {
    return free_lists::fits(bytes) && this_shard != nullptr ? this_shard->free_memory.take(bytes)
                                                            : nullptr;
}

inline void* allocate_task_memory(std::size_t bytes) {
    void* const memory = take_from_lists(bytes);
    return memory != nullptr ? memory : ::operator new(free_lists::rounded(bytes));
}

inline void* allocate_task_memory(std::size_t bytes, const std::nothrow_t& nothrow) noexcept {
    void* const memory = take_from_lists(bytes);
    return memory != nullptr ? memory : ::operator new(free_lists::rounded(bytes), nothrow);
}

inline void free_task_memory(void* memory, std::size_t bytes) noexcept {
    if (free_lists::fits(bytes) && this_shard != nullptr &&
        this_shard->free_memory.keep(memory, bytes)) {
        return;
    }
    ::operator delete(memory);
}

// The base of what lives in such memory. Requires that it is deleted as what it was made as, or
// through a virtual destructor.
struct in_task_memory {
    static void* operator new(std::size_t bytes) { return allocate_task_memory(bytes); }
    static void* operator new(std::size_t bytes, const std::nothrow_t& nothrow) noexcept {
        return allocate_task_memory(bytes, nothrow);
    }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        free_task_memory(memory, bytes);
    }

    // Types with an alignment of their own are rare, and left to the general allocator.
    static void* operator new(std::size_t bytes, std::align_val_t alignment) {
        return ::operator new(bytes, alignment);
    }
    static void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
        ::operator delete(memory, alignment);
    }
};

}  // namespace internal

// The same memory for containers and std::allocate_shared().
template <typename T>
struct task_allocator {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    using value_type = T;

    task_allocator() noexcept = default;
    template <typename U>
    task_allocator(const task_allocator<U>&) noexcept {}  // NOLINT: allocators convert.

    T* allocate(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / sizeof(T)) {
            throw std::bad_array_new_length();
        }
        return static_cast<T*>(internal::allocate_task_memory(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        internal::free_task_memory(memory, count * sizeof(T));
    }

    template <typename U>
    friend bool operator==(const task_allocator&, const task_allocator<U>&) noexcept {
        return true;
    }
};

}  // namespace miniss
