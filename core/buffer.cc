#include <miniss/core/buffer.hh>

#include <algorithm>
#include <cstdint>
#include <new>

#include <miniss/core/task_memory.hh>

namespace miniss::internal {

namespace {

// Sits in front of the bytes it owns. Small ones are made and freed as often as tasks are, so their
// memory comes from where that of tasks does.
class heap_owner final : public buffer_owner {
    // The size of that memory, or, of all that is larger than any list's, one that is.
    std::uint32_t _memory_bytes;

    void free_memory() noexcept override {
        const std::size_t memory_bytes = _memory_bytes;
        this->~heap_owner();
        free_task_memory(this, memory_bytes);
    }

public:
    explicit heap_owner(std::size_t memory_bytes) noexcept
        : _memory_bytes(
              static_cast<std::uint32_t>(std::min(memory_bytes, free_lists::large_bytes + 1))) {}
};

// Sits behind the bytes it owns, so that they can begin where they must.
class aligned_owner final : public buffer_owner {
    char* _memory;
    std::align_val_t _alignment;

    void free_memory() noexcept override {
        char* memory = _memory;
        const auto alignment = _alignment;
        this->~aligned_owner();
        ::operator delete(static_cast<void*>(memory), alignment);
    }

public:
    aligned_owner(char* memory, std::size_t alignment) noexcept
        : _memory(memory), _alignment(std::align_val_t(alignment)) {}
};

}  // namespace

owned_memory allocate_buffer(std::size_t size_bytes) {
    const std::size_t memory_bytes = sizeof(heap_owner) + size_bytes;
    auto* owner = ::new (allocate_task_memory(memory_bytes)) heap_owner(memory_bytes);
    return {reinterpret_cast<char*>(owner + 1), owner};
}

owned_memory allocate_aligned_buffer(std::size_t alignment, std::size_t size_bytes) {
    if (alignment <= alignof(heap_owner)) {
        return allocate_buffer(size_bytes);
    }
    const std::size_t owner_place =
        (size_bytes + alignof(aligned_owner) - 1) / alignof(aligned_owner) * alignof(aligned_owner);
    void* memory = ::operator new(owner_place + sizeof(aligned_owner), std::align_val_t(alignment));
    auto* data = static_cast<char*>(memory);
    return {data, ::new (data + owner_place) aligned_owner(data, alignment)};
}

}  // namespace miniss::internal

namespace miniss {

namespace {

class string_owner final : public buffer_owner, public internal::in_task_memory {
    void free_memory() noexcept override { delete this; }

public:
    std::string text;
    explicit string_owner(std::string&& bytes) noexcept : text(std::move(bytes)) {}
};

}  // namespace

temporary_buffer<char> make_buffer(std::string&& text) {
    if (text.size() <= std::string().capacity()) {  // It has no memory that could be taken over.
        return temporary_buffer<char>::copy_of(text);
    }
    auto* owner = new string_owner(std::move(text));
    return temporary_buffer<char>(owner->text.data(), owner->text.size(), owner);
}

}  // namespace miniss
