// What a shard's pools of memory have been used for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace miniss {

// What has become of the pieces of one pool, since it was made.
struct pool_statistics {
    const char* name;                  // What the pieces are.
    std::size_t piece_bytes;           // The size of one.
    std::size_t piece_count = 0;       // How many there are; 0: as many as are asked for.
    std::uint64_t taken_count = 0;     // How often one was taken,
    std::uint64_t returned_count = 0;  // and given back.
    std::uint64_t held_count_max = 0;  // The most that were held at a time.
    std::uint64_t missed_count = 0;    // How often there was none to spare: others served instead.
    std::uint64_t starved_count = 0;   // How often somebody had to wait for one.

    // Those that were not given back yet. Of task memory, which may go from shard to shard, less
    // than none may be left with those who took it here.
    std::int64_t held_count() const noexcept {
        return static_cast<std::int64_t>(taken_count - returned_count);
    }
    // Of a pool to which everything comes back.
    void note_taken() noexcept {
        ++taken_count;
        if (held_count_max < taken_count - returned_count) {
            held_count_max = taken_count - returned_count;
        }
    }
};

}  // namespace miniss
