// Blocks of memory that one shard keeps for its next tasks and small buffers, sorted by size.
#pragma once

#include <cstddef>
#include <new>

#include <miniss/core/checked_build.hh>

namespace miniss::internal {

// A list for each size that is a multiple of `granule_bytes`. Blocks come from operator new one by
// one, so any shard may keep what another has allocated.
//
// Shard: one thread at a time.
class free_lists {
    struct block {
        block* next;
    };
    struct list {
        block* first = nullptr;
        unsigned free_places = blocks_max;
    };

    static constexpr std::size_t granule_bytes = 32;
    static constexpr std::size_t list_count = 32;

    list _lists[list_count];

public:
    static constexpr std::size_t block_bytes_max = granule_bytes * list_count;

    // How many blocks a list keeps at most, all lists together 4.2 MiB; what comes beyond goes back
    // to operator delete. To be changed before the first list is made: none where every allocation
    // shall show.
    inline static unsigned blocks_max = is_checked_build ? 0 : 256;

    free_lists() noexcept = default;
    free_lists(const free_lists&) = delete;
    free_lists& operator=(const free_lists&) = delete;
    ~free_lists();

    // What operator new must be asked for, so that the block fits into a list later.
    static constexpr std::size_t rounded(std::size_t bytes) noexcept {
        return (bytes + granule_bytes - 1) / granule_bytes * granule_bytes;
    }

    // A block of so many bytes, or null if there is none. Requires 0 < bytes <= block_bytes_max.
    void* take(std::size_t bytes) noexcept {
        list& blocks = list_of(bytes);
        block* const taken = blocks.first;
        if (taken != nullptr) [[likely]] {
            blocks.first = taken->next;
            ++blocks.free_places;
        }
        return taken;
    }

    // Keeps a block. False, and nothing done, if there are enough of its size already.
    bool keep(void* memory, std::size_t bytes) noexcept {
        list& blocks = list_of(bytes);
        if (blocks.free_places == 0) [[unlikely]] {
            return false;
        }
        --blocks.free_places;
        blocks.first = ::new (memory) block{blocks.first};
        return true;
    }

private:
    list& list_of(std::size_t bytes) noexcept { return _lists[(bytes - 1) / granule_bytes]; }
};

}  // namespace miniss::internal
