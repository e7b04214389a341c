// Aligned memory that one shard keeps for direct I/O, and that the kernel knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <miniss/core/buffer.hh>
#include <miniss/core/pool_statistics.hh>

namespace miniss {

// Without it the kernel has to find and hold the pages behind a buffer for each direct read or
// write, and let go of them after it. Those of the pool it holds all the time: 2 MiB for each shard
// that has opened a file for direct I/O (io_uring_register_buffers(3)).
//
// There are few pieces, of two sizes. Who keeps bytes for long keeps a clone(): once all are held,
// the others' reads and writes are plain ones, from and to the heap.
//
// Lifetime: buffers may outlive it: the memory goes with the last of them.
// Shard:    the one whose backend has it.
// Cost:     taking and giving back are a few instructions.
class file_buffer_pool {
    struct size_class;
    class piece final : public buffer_owner {
        void free_memory() noexcept override { pool->give_back(*this); }

    public:
        file_buffer_pool* pool = nullptr;
        size_class* home = nullptr;
        char* memory = nullptr;
        piece* next_free = nullptr;
    };
    struct size_class {
        pool_statistics use;
        std::unique_ptr<piece[]> pieces = {};
        piece* first_free = nullptr;
    };

    size_class _small;
    size_class _large;
    char* _memory;
    bool _is_abandoned = false;

public:
    static constexpr std::size_t alignment = 4096;
    static constexpr std::size_t memory_bytes = std::size_t{2} * 1024 * 1024;
    static constexpr std::size_t piece_bytes_max = std::size_t{64} * 1024;

    // Throws std::bad_alloc.
    file_buffer_pool();
    file_buffer_pool(const file_buffer_pool&) = delete;
    file_buffer_pool& operator=(const file_buffer_pool&) = delete;

    // Its owner needs it no longer: it dies, or will with its last buffer.
    void abandon() noexcept;

    char* memory() const noexcept { return _memory; }

    // Whether all of these bytes are in its memory.
    bool holds(const void* bytes, std::size_t size_bytes) const noexcept {
        const std::uintptr_t offset =
            reinterpret_cast<std::uintptr_t>(bytes) - reinterpret_cast<std::uintptr_t>(_memory);
        return offset <= memory_bytes && size_bytes <= memory_bytes - offset;
    }

    // Uninitialised memory; an empty buffer if there is none, or none of that size.
    temporary_buffer<char> take(std::size_t size_bytes) noexcept;

    // Adds those of its two sizes.
    void add_statistics(std::vector<pool_statistics>& all) const;

private:
    ~file_buffer_pool();
    void divide(size_class& into, char* memory) noexcept;
    void give_back(piece& free) noexcept;
    void die_if_unused() noexcept;
};

}  // namespace miniss
