// Where the calls live that a shard sends to others.
#pragma once

#include <cstddef>

namespace miniss::internal {

// Blocks that begin with a cache line and share none: what travels between two cores is the call,
// and not the allocator's notes beside it, which would be fetched back to free it. Blocks that have
// come home are kept for the next calls.
//
// Lifetime: all blocks are back by the time it is destroyed.
// Shard:    allocated and freed on the same one.
// Cost:     nothing is allocated as long as there are blocks that were used before, of which up to
//           kept_count_max are kept: 128 KiB. Calls of more than block_bytes are left to `new`.
class letter_memory {
    struct block {
        block* next;
    };
    block* _kept = nullptr;
    std::size_t _kept_count = 0;

public:
    static constexpr std::size_t block_bytes = 128;
    static constexpr std::size_t kept_count_max = 1024;

    letter_memory() noexcept = default;
    letter_memory(const letter_memory&) = delete;
    letter_memory& operator=(const letter_memory&) = delete;
    ~letter_memory();

    void* allocate(std::size_t bytes);
    void free(void* letter, std::size_t bytes) noexcept;
};

}  // namespace miniss::internal
