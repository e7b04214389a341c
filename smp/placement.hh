// Ways to choose the shard for a piece of work.
//
//     round_robin next;
//     ... next.submit([] { return work(); });
//
// Shard: each object on the shard that made it.
#pragma once

#include <cstdint>
#include <string_view>

#include <miniss/smp/smp.hh>

namespace miniss {

// One shard after the other, beginning with the one behind the caller's: callers on different
// shards do not all begin with the same one.
class round_robin {
    unsigned _last = this_shard_id();

public:
    unsigned pick() noexcept {
        _last = (_last + 1) % this_smp_shard_count();
        return _last;
    }

    template <typename Func>
    auto submit(Func&& func) noexcept {
        return smp::submit_to(pick(), std::forward<Func>(func));
    }
};

// The shard with the fewest calls to answer, and the next one of them in turn if there are several.
// What other shards have sent it is known with some delay, our own calls at once. Work that is no
// call is not seen.
// Cost: looks at one cache line of each shard.
class least_loaded {
    unsigned _last = this_shard_id();

public:
    unsigned pick() noexcept;

    template <typename Func>
    auto submit(Func&& func) noexcept {
        return smp::submit_to(pick(), std::forward<Func>(func));
    }
};

// The shard where a key lives: always the same for the same number of shards, on any machine.
// Keys are spread evenly. If the number of shards grows, only as many keys move as the new shards
// get (Lamping, Veach: A Fast, Minimal Memory, Consistent Hash Algorithm, 2014).
unsigned shard_of(std::uint64_t key, unsigned shard_count) noexcept;
unsigned shard_of(std::string_view key, unsigned shard_count) noexcept;

// Calls func() where `key` lives.
template <typename Key, typename Func>
auto submit_to_shard_of(const Key& key, Func&& func) noexcept {
    return smp::submit_to(shard_of(key, this_smp_shard_count()), std::forward<Func>(func));
}

}  // namespace miniss
