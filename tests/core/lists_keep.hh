// For tests of task memory: tests otherwise run without free lists, so that every allocation is
// seen, by those who count them and by sanitizers.
#pragma once

#include <utility>

#include <miniss/core/free_lists.hh>

namespace miniss {

// While it lives, the free lists of shards that are made may keep `count` blocks of each size.
class lists_keep {
    unsigned _before;

public:
    explicit lists_keep(unsigned count) noexcept
        : _before(std::exchange(internal::free_lists::blocks_max, count)) {}
    lists_keep(const lists_keep&) = delete;
    lists_keep& operator=(const lists_keep&) = delete;
    ~lists_keep() { internal::free_lists::blocks_max = _before; }
};

}  // namespace miniss
