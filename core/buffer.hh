// Owned, shareable pieces of bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace miniss {

// Who frees a piece of memory once nobody refers to it any more.
// Shard: the count is not atomic; a buffer and all that share it stay on one shard.
class buffer_owner {
    unsigned _reference_count = 0;

public:
    void add_reference() noexcept { ++_reference_count; }
    void drop_reference() noexcept {
        if (--_reference_count == 0) {
            free_memory();
        }
    }
    bool shared() const noexcept { return _reference_count > 1; }

protected:
    buffer_owner() noexcept = default;
    ~buffer_owner() = default;

private:
    virtual void free_memory() noexcept = 0;
};

namespace internal {

struct owned_memory {
    char* data;
    buffer_owner* owner;
};

// One allocation for the bytes and their owner, small ones from the lists of the shard (see
// task_memory.hh). Throws std::bad_alloc.
owned_memory allocate_buffer(std::size_t size_bytes);
// The same at an address that is a multiple of `alignment`, a power of two.
owned_memory allocate_aligned_buffer(std::size_t alignment, std::size_t size_bytes);

}  // namespace internal

// A piece of bytes that frees itself, on the heap or in a ring of receive buffers.
//
// Lifetime: share() makes a second reference to the same bytes; the memory goes back when the last
//           reference dies. Buffers of a ring are few: who keeps bytes for long keeps a clone().
// Shard:    stays on its shard, with all that share it.
// Cost:     moving is free, sharing is one addition.
template <typename CharType = char>
class temporary_buffer {
    static_assert(sizeof(CharType) == 1, "a buffer is made of bytes");

    CharType* _data = nullptr;
    std::size_t _size = 0;
    buffer_owner* _owner = nullptr;

public:
    temporary_buffer() noexcept = default;

    // Uninitialised memory. Throws std::bad_alloc.
    explicit temporary_buffer(std::size_t size_bytes) : _size(size_bytes) {
        if (size_bytes != 0) {
            const auto memory = internal::allocate_buffer(size_bytes);
            _data = reinterpret_cast<CharType*>(memory.data);
            adopt(memory.owner);
        }
    }
    // A copy of `source`.
    temporary_buffer(const CharType* source, std::size_t size_bytes)
        : temporary_buffer(size_bytes) {
        for (std::size_t i = 0; i < size_bytes; ++i) {
            _data[i] = source[i];
        }
    }
    // Bytes that belong to somebody who wants to know when they are no longer used; a null owner
    // is for bytes that live for ever.
    temporary_buffer(CharType* data, std::size_t size_bytes, buffer_owner* owner) noexcept
        : _data(data), _size(size_bytes) {
        adopt(owner);
    }

    // Uninitialised memory at an address that is a multiple of `alignment`, a power of two.
    // Throws std::bad_alloc.
    static temporary_buffer aligned(std::size_t alignment, std::size_t size_bytes) {
        const auto memory = internal::allocate_aligned_buffer(alignment, size_bytes);
        return temporary_buffer(reinterpret_cast<CharType*>(memory.data), size_bytes, memory.owner);
    }
    static temporary_buffer copy_of(std::basic_string_view<CharType> source) {
        return temporary_buffer(source.data(), source.size());
    }

    temporary_buffer(temporary_buffer&& other) noexcept
        : _data(std::exchange(other._data, nullptr)),
          _size(std::exchange(other._size, 0)),
          _owner(std::exchange(other._owner, nullptr)) {}
    temporary_buffer& operator=(temporary_buffer&& other) noexcept {
        temporary_buffer taken(std::move(other));
        std::swap(_data, taken._data);
        std::swap(_size, taken._size);
        std::swap(_owner, taken._owner);
        return *this;
    }
    ~temporary_buffer() {
        if (_owner != nullptr) {
            _owner->drop_reference();
        }
    }

    const CharType* get() const noexcept { return _data; }
    CharType* get_write() noexcept { return _data; }
    std::size_t size() const noexcept { return _size; }
    bool empty() const noexcept { return _size == 0; }
    explicit operator bool() const noexcept { return _size != 0; }
    const CharType* begin() const noexcept { return _data; }
    const CharType* end() const noexcept { return _data + _size; }
    CharType operator[](std::size_t i) const noexcept { return _data[i]; }
    std::basic_string_view<CharType> view() const noexcept { return {_data, _size}; }

    // Another reference to the same bytes, or to some of them.
    temporary_buffer share() noexcept { return temporary_buffer(_data, _size, _owner); }
    temporary_buffer share(std::size_t position, std::size_t size_bytes) noexcept {
        return temporary_buffer(_data + position, size_bytes, _owner);
    }
    // A copy of its own.
    temporary_buffer clone() const { return temporary_buffer(_data, _size); }

    // The first `size_bytes` bytes, as another reference.
    temporary_buffer prefix(std::size_t size_bytes) noexcept { return share(0, size_bytes); }

    // Forgets the first `size_bytes` bytes, or all behind the first `size_bytes`.
    void trim_front(std::size_t size_bytes) noexcept {
        _data += size_bytes;
        _size -= size_bytes;
    }
    void trim(std::size_t size_bytes) noexcept { _size = size_bytes; }

private:
    void adopt(buffer_owner* owner) noexcept {
        _owner = owner;
        if (owner != nullptr) {
            owner->add_reference();
        }
    }
};

// A buffer of the bytes of `text`, which are not copied, unless they are so few that the string has
// no memory of its own. Throws std::bad_alloc.
temporary_buffer<char> make_buffer(std::string&& text);

}  // namespace miniss
