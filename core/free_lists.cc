#include <miniss/core/free_lists.hh>

#include <algorithm>
#include <utility>

#include <miniss/core/pool_statistics.hh>

namespace miniss::internal {

free_lists::~free_lists() {
    for (list& each : _lists) {
        while (each.first != nullptr) {
            ::operator delete(std::exchange(each.first, each.first->next));
        }
    }
}

void free_lists::note_miss(std::size_t list_number) noexcept {
    misses& of_list = _misses[list_number];
    ++of_list.count;
    of_list.held_count_max =
        std::max(of_list.held_count_max,
                 static_cast<std::int64_t>(of_list.count - _lists[list_number].refused_count));
}

pool_statistics free_lists::statistics(std::size_t list_number) const noexcept {
    const list& blocks = _lists[list_number];
    const misses& of_list = _misses[list_number];
    const unsigned kept_count = blocks_max - blocks.free_places;
    return {.name = "blocks of task memory",
            .piece_bytes =
                list_number < small_list_count ? (list_number + 1) * granule_bytes : large_bytes,
            .taken_count = blocks.reused_count + of_list.count,
            .returned_count = blocks.reused_count + kept_count + blocks.refused_count,
            .held_count_max = static_cast<std::uint64_t>(of_list.held_count_max),
            .missed_count = of_list.count};
}

}  // namespace miniss::internal
