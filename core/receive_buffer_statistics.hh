// Whether the buffers suffice that a shard receives into.
#pragma once

#include <cstddef>
#include <cstdint>

namespace miniss {

// What has become of the buffers that a backend receives into, since it was made.
struct receive_buffer_statistics {
    std::size_t buffer_count = 0;     // 0 where it has none: each receive allocates its own.
    std::size_t lent_count = 0;       // With those who read now.
    std::uint64_t filled_count = 0;   // How often one came back with bytes,
    std::uint64_t copied_count = 0;   // and those were copied to the heap, as too many were lent.
    std::uint64_t starved_count = 0;  // How often a receive found none and began again.
};

}  // namespace miniss
