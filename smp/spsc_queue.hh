// A bounded queue from exactly one thread to exactly one other thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <span>
#include <type_traits>

#include <miniss/core/assert.hh>

namespace miniss {

// What one core takes from another at a time: two things that different threads write must be this
// far apart, or each write of the one costs the other a cache miss.
inline constexpr std::size_t cache_line_bytes = 64;

// A ring of slots. Both indices only grow (they wrap around after 2^64 items) and count what went
// in and what came out: the queue is empty when they are equal, and full when they are Capacity
// apart.
//
// Each end keeps a copy of the other end's index, and looks at the original only when that copy
// says "full" or "empty". As long as there is room and work, an item costs no cache miss but that
// of its slot.
//
// Memory order: an index is stored with release after the slot was written, or read, and loaded
// with acquire before the slot is read, or written again. Hence whoever sees the index move also
// sees what happened to the slot. Nothing else is promised: in particular the store of an index
// may become visible after a later load of something else, see doorbell.hh.
//
// Shard: one thread calls what is under "the producer", another one what is under "the consumer".
// Cost:  wait-free, and nothing allocates.
template <typename T, std::size_t Capacity>
class spsc_queue {
    static_assert(std::has_single_bit(Capacity), "indices wrap by masking");
    static_assert(std::is_trivially_copyable_v<T>, "a slot that was popped is not destroyed");

    // Grouped by who writes: the producer for itself, the producer for both, and so on.
    struct alignas(cache_line_bytes) {
        std::size_t staged_count = 0;  // What is in a slot, whether published or not.
        std::size_t popped_seen = 0;
    } _producer;
    alignas(cache_line_bytes) std::atomic<std::size_t> _pushed_count{0};
    struct alignas(cache_line_bytes) {
        std::size_t pushed_seen = 0;
    } _consumer;
    alignas(cache_line_bytes) std::atomic<std::size_t> _popped_count{0};
    alignas(cache_line_bytes) std::array<T, Capacity> _slots;

public:
    static constexpr std::size_t capacity = Capacity;

    spsc_queue() noexcept {}  // Leaves the slots as they are.
    spsc_queue(const spsc_queue&) = delete;
    spsc_queue& operator=(const spsc_queue&) = delete;

    // -- The producer ----------------------------------------------------------------------

    // Puts an item into a slot, but does not show it to the consumer yet. False if all slots
    // are taken.
    bool try_stage(T item) noexcept {
        if (_producer.staged_count - _producer.popped_seen == Capacity && !look_for_room()) {
            return false;
        }
        _slots[_producer.staged_count % Capacity] = item;
        ++_producer.staged_count;
        return true;
    }

    // Shows the consumer all that was staged. True if there was anything.
    bool publish() noexcept {
        if (_pushed_count.load(std::memory_order_relaxed) == _producer.staged_count) {
            return false;
        }
        _pushed_count.store(_producer.staged_count, std::memory_order_release);
        return true;
    }

    // Both in one. False if all slots are taken.
    bool try_push(T item) noexcept { return try_stage(item) && publish(); }

    // Looks at the consumer's index afresh: is any slot free by now?
    bool look_for_room() noexcept {
        _producer.popped_seen = _popped_count.load(std::memory_order_acquire);
        const std::size_t taken_count = _producer.staged_count - _producer.popped_seen;
        MINISS_ASSERT(taken_count <= Capacity);  // Otherwise: more than one thread at one end.
        return taken_count < Capacity;
    }

    // -- The consumer ----------------------------------------------------------------------

    // Takes out as many items as there are and fit. Their slots are given back together.
    std::size_t pop_into(std::span<T> items) noexcept {
        const std::size_t popped_count = _popped_count.load(std::memory_order_relaxed);
        if (_consumer.pushed_seen == popped_count && !look_for_items()) {
            return 0;
        }
        const std::size_t count = std::min(items.size(), _consumer.pushed_seen - popped_count);
        for (std::size_t i = 0; i < count; ++i) {
            items[i] = _slots[(popped_count + i) % Capacity];
        }
        _popped_count.store(popped_count + count, std::memory_order_release);
        return count;
    }

    // Takes out the oldest item. False if there is none.
    bool try_pop(T& item) noexcept { return pop_into(std::span<T>(&item, 1)) == 1; }

    // Looks at the producer's index afresh: is anything there?
    bool look_for_items() noexcept {
        _consumer.pushed_seen = _pushed_count.load(std::memory_order_acquire);
        const std::size_t item_count =
            _consumer.pushed_seen - _popped_count.load(std::memory_order_relaxed);
        MINISS_ASSERT(item_count <= Capacity);  // Otherwise: more than one thread at one end.
        return item_count != 0;
    }
};

}  // namespace miniss
