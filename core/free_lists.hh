// Blocks of memory that one shard keeps for its next tasks and small buffers, sorted by size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <miniss/core/checked_build.hh>

namespace miniss {

struct pool_statistics;

namespace internal {

// A list for each size that is a multiple of `granule_bytes`, up to 1 KiB, and one for 8 KiB.
// Blocks come from operator new one by one, so any shard may keep what another has allocated.
//
// Shard: one thread at a time.
class free_lists {
    struct block {
        block* next;
    };
    struct list {
        block* first = nullptr;
        unsigned free_places = blocks_max;
        std::uint64_t reused_count = 0;
        std::uint64_t refused_count = 0;
    };
    // Counted when a list is empty. The blocks that it did not have, less those that it refused,
    // are all in use then.
    struct misses {
        std::uint64_t count = 0;
        std::int64_t held_count_max = 0;
    };

    static constexpr std::size_t granule_bytes = 32;
    static constexpr std::size_t small_list_count = 32;
    static constexpr std::size_t small_bytes_max = granule_bytes * small_list_count;

public:
    static constexpr std::size_t list_count = small_list_count + 1;
    // Of the last list. What is a little less fits there, but nothing in between: it would waste
    // too much.
    static constexpr std::size_t large_bytes = 8 * 1024;

private:
    list _lists[list_count];
    misses _misses[list_count];

public:
    // How many blocks a list keeps at most, all lists together 6.1 MiB; what comes beyond goes back
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

    // Whether there is a list for so many bytes; not 0.
    static constexpr bool fits(std::size_t bytes) noexcept {
        return bytes <= small_bytes_max || rounded(bytes) == large_bytes;
    }

    // A block of so many bytes, or null if there is none. Requires fits(bytes).
    void* take(std::size_t bytes) noexcept {
        list& blocks = list_of(bytes);
        block* const taken = blocks.first;
        if (taken != nullptr) [[likely]] {
            blocks.first = taken->next;
            ++blocks.free_places;
            ++blocks.reused_count;
            return taken;
        }
        note_miss(number_of(bytes));
        return nullptr;
    }

    // Keeps a block. False, and nothing done, if there are enough of its size already.
    bool keep(void* memory, std::size_t bytes) noexcept {
        list& blocks = list_of(bytes);
        if (blocks.free_places == 0) [[unlikely]] {
            ++blocks.refused_count;
            return false;
        }
        --blocks.free_places;
        blocks.first = ::new (memory) block{blocks.first};
        return true;
    }

    // Of a list, the first of which has the smallest blocks. Held are those that were taken here
    // and not given back here.
    pool_statistics statistics(std::size_t list_number) const noexcept;

private:
    [[gnu::cold]] void note_miss(std::size_t list_number) noexcept;
    static constexpr std::size_t number_of(std::size_t bytes) noexcept {
        return bytes <= small_bytes_max ? (bytes - 1) / granule_bytes : small_list_count;
    }
    list& list_of(std::size_t bytes) noexcept { return _lists[number_of(bytes)]; }
};

}  // namespace internal
}  // namespace miniss
