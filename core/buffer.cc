#include <miniss/core/buffer.hh>

#include <new>

namespace miniss::internal {

namespace {

// Sits in front of the bytes it owns.
class heap_owner final : public buffer_owner {
    void free_memory() noexcept override {
        this->~heap_owner();
        ::operator delete(static_cast<void*>(this));
    }
};

}  // namespace

owned_memory allocate_buffer(std::size_t size_bytes) {
    void* memory = ::operator new(sizeof(heap_owner) + size_bytes);
    auto* owner = ::new (memory) heap_owner;
    return {reinterpret_cast<char*>(owner + 1), owner};
}

}  // namespace miniss::internal

namespace miniss {

namespace {

class string_owner final : public buffer_owner {
    void free_memory() noexcept override { delete this; }

public:
    std::string text;
    explicit string_owner(std::string&& bytes) noexcept : text(std::move(bytes)) {}
};

}  // namespace

temporary_buffer<char> make_buffer(std::string&& text) {
    auto* owner = new string_owner(std::move(text));
    return temporary_buffer<char>(owner->text.data(), owner->text.size(), owner);
}

}  // namespace miniss
