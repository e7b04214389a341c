// Sees to it that a runtime that does not stop says why, instead of hanging.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include <miniss/core/this_shard.hh>

namespace miniss {

// Once started, it gives the shards a deadline. Who is not done by then writes down what he waits
// for; a moment later whoever comes next prints all that, and who did not even get to write
// anything, to stderr, and aborts the process.
//
// Shard: any.
class stop_watch {
    using clock = std::chrono::steady_clock;

    std::chrono::nanoseconds _limit;
    std::atomic<clock::time_point> _deadline{clock::time_point::max()};
    std::mutex _lock;
    std::vector<std::string> _notes;  // By shard.

public:
    // No limit if it is zero.
    stop_watch(unsigned shard_count, std::chrono::nanoseconds limit)
        : _limit(limit), _notes(shard_count) {}

    // Main has ended.
    void start() noexcept;

    // When to call late(); max() before start().
    clock::time_point deadline() const noexcept {
        return _deadline.load(std::memory_order_relaxed);
    }

    // For a shard that waits beyond the deadline; `doing` is what it does. Returns the time at
    // which to call it again.
    clock::time_point late(const shard_context& shard, std::string doing) noexcept;

private:
    [[noreturn]] void report() const noexcept;
};

}  // namespace miniss
