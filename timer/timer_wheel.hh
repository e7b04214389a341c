// The armed timers of one clock on one shard, as a pure data structure: no clock, no callbacks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <boost/intrusive/list.hpp>

#include <miniss/core/assert.hh>
#include <miniss/core/expiring.hh>

namespace miniss::internal {

using timer_list = boost::intrusive::list<timer_node, boost::intrusive::base_hook<timer_hook>,
                                          boost::intrusive::constant_time_size<false>>;

// Keeps timers roughly sorted, the nearer the finer, and hands out exactly those that are due.
//
// Method: a radix heap. Read an expiry and the present as numbers of 16 hexadecimal digits: the
// highest digit in which they differ is the node's level, and the expiry's digit there its slot.
// Buckets, by level and then by slot, are in order of time, so the first one that holds anything
// holds the earliest node. When time enters the range of a bucket, its nodes agree with the
// present in one more digit and move to lower levels; a node that agrees in all digits is due.
// So nothing is rounded, and a far timer is touched a few times in its life, not once per tick.
//
// Units:    nanoseconds since the clock's epoch; every std::int64_t is valid.
// Lifetime: nodes may die before the wheel and the wheel before its nodes; both unlink.
// Shard:    no locks; the wheel and its nodes belong to one shard.
// Cost:     6 KiB and no allocation, however many timers. insert() is O(1). A node moves at most
//           16 times before it expires, once per level, and mostly 1 to 6 times. The nodes of a
//           bucket move together: of a million timers that expire within the same few seconds,
//           most can move in one advance(), which then takes tens of milliseconds.
class timer_wheel {
public:
    // `now` is a moment that is not later than that of the first advance().
    explicit timer_wheel(std::int64_t now) noexcept : _now(now) {}
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    // Arms `node` for node.expiry. One that is due already expires with the next advance().
    void insert(timer_node& node) noexcept;

    // Appends all nodes with expiry <= now to `expired`: by expiry, equal ones as inserted.
    // `now` must not be earlier than in the call before: a clock that runs backwards is a bug.
    //
    // Worth calling in every turn: with nothing due it costs a nanosecond or two, and the shorter
    // the way from the last call to an expiry, the finer the bucket that insert() finds for it.
    void advance(std::int64_t now, timer_list& expired) noexcept {
        MINISS_ASSERT(now >= _now);
        if (now < _quiet_until && _due.empty()) {
            _now = now;
        } else {
            enter_buckets(now, expired);
        }
    }

    // When to call advance() again: never later than the earliest expiry, the time of the last
    // advance() when a node is due already, and the largest std::int64_t when there is no node.
    //
    // It is the earliest expiry itself unless nodes were unlinked; then it can be that of an
    // unlinked one. The advance() at that moment finds nothing due and corrects it.
    // Cost: a few instructions; not const because it forgets the buckets that it finds empty.
    std::int64_t next_expiry() noexcept;

private:
    static constexpr unsigned digit_bits = 4;
    static constexpr unsigned slot_count = 1U << digit_bits;
    static constexpr unsigned word_bits = 64;
    static constexpr unsigned level_count = word_bits / digit_bits;
    static constexpr unsigned bucket_count = level_count * slot_count;

    struct bucket {
        timer_list nodes;
        // Not later than any of the nodes; the expiry of one that is or was among them.
        std::int64_t earliest = 0;
    };

    void enter_buckets(std::int64_t now, timer_list& expired) noexcept;
    unsigned bucket_of(std::int64_t expiry) const noexcept;
    bucket& filled_bucket(unsigned index, std::int64_t expiry) noexcept;
    unsigned first_bucket() noexcept;
    std::int64_t start_of(unsigned index) const noexcept;

    // Every node in a bucket expires later than this.
    std::int64_t _now;
    // The range of no bucket with nodes begins before this moment.
    std::int64_t _quiet_until = std::numeric_limits<std::int64_t>::max();
    // Nodes with expiry <= _now.
    timer_list _due;
    // A bit per bucket, set by insert(). unlink() cannot clear it, first_bucket() does.
    std::array<std::uint64_t, bucket_count / word_bits> _occupied{};
    std::array<bucket, bucket_count> _buckets;
};

}  // namespace miniss::internal
