// A bounded queue from exactly one thread to exactly one other thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <miniss/core/assert.hh>

namespace miniss {

// What one core takes from another at a time: two things that different threads write must be this
// far apart, or each write of the one costs the other a cache miss.
inline constexpr std::size_t cache_line_bytes = 64;

// A ring of slots that hold addresses. A slot says by itself whether it is full: the lowest bit,
// which an address does not need, is 1 for items of the first round, 0 for those of the second, and
// so on. So the consumer looks at the next slot, and what it finds there is the item: both come in
// one cache line, and each line brings up to eight of them. With an index that says how far the
// producer has got, the consumer would wait for that index first and for the slot then.
//
// How much was taken out is counted in an index that only grows. The producer keeps a copy, and
// looks at the original only when that copy says "full".
//
// Memory order: a slot is stored with release and loaded with acquire, so whoever sees an item also
// sees what happened to it before. The same goes for the index and the slots that it gives back.
// Nothing else is promised: in particular the store of a slot may become visible after a later load
// of something else, see doorbell.hh.
//
// Lifetime: does not own what it holds.
// Shard: one thread calls what is under "the producer", another one what is under "the consumer".
// Cost:  wait-free, and nothing allocates.
template <typename T, std::size_t Capacity>
class spsc_queue {
    static_assert(std::has_single_bit(Capacity), "indices wrap by masking");
    using slot = std::uintptr_t;

    // Grouped by who writes: the producer for itself, the consumer for both, the producer for both.
    struct alignas(cache_line_bytes) {
        std::size_t staged_count = 0;  // Published or not.
        std::size_t popped_seen = 0;
        std::size_t held_number = 0;  // The first that is not published, which hides the others.
        slot held = 0;                // Zero if there is none.
    } _producer;
    alignas(cache_line_bytes) std::atomic<std::size_t> _popped_count{0};
    alignas(cache_line_bytes) std::array<std::atomic<slot>, Capacity> _slots{};

    static slot mark_of(std::size_t number) noexcept { return ~(number / Capacity) & 1; }

public:
    static constexpr std::size_t capacity = Capacity;

    spsc_queue() noexcept = default;
    spsc_queue(const spsc_queue&) = delete;
    spsc_queue& operator=(const spsc_queue&) = delete;

    // -- The producer ----------------------------------------------------------------------

    // Gives an item a slot, but does not show it to the consumer yet. False if all slots are taken.
    bool try_stage(T& item) noexcept {
        static_assert(alignof(T) > 1, "the lowest bit of its address is ours");
        if (_producer.staged_count - _producer.popped_seen == Capacity && !look_for_room()) {
            return false;
        }
        const std::size_t number = _producer.staged_count++;
        const slot filled = reinterpret_cast<slot>(&item) | mark_of(number);
        if (_producer.held == 0) {
            _producer.held = filled;
            _producer.held_number = number;
        } else {
            _slots[number % Capacity].store(filled, std::memory_order_release);
        }
        return true;
    }

    // Shows the consumer all that was staged. True if there was anything.
    bool publish() noexcept {
        if (_producer.held == 0) {
            return false;
        }
        _slots[_producer.held_number % Capacity].store(std::exchange(_producer.held, 0),
                                                       std::memory_order_release);
        return true;
    }

    // Both in one. False if all slots are taken.
    bool try_push(T& item) noexcept { return try_stage(item) && publish(); }

    // Looks at the consumer's index afresh: is any slot free by now?
    bool look_for_room() noexcept {
        _producer.popped_seen = _popped_count.load(std::memory_order_acquire);
        const std::size_t taken_count = _producer.staged_count - _producer.popped_seen;
        MINISS_ASSERT(taken_count <= Capacity);  // Otherwise: more than one thread at one end.
        return taken_count < Capacity;
    }

    // -- The consumer ----------------------------------------------------------------------

    // Takes out as many items as there are and fit. Their slots are given back together.
    std::size_t pop_into(std::span<T*> items) noexcept {
        const std::size_t popped_count = _popped_count.load(std::memory_order_relaxed);
        std::size_t count = 0;
        for (; count < items.size(); ++count) {
            const slot found = load_slot(popped_count + count);
            if (!is_full(found, popped_count + count)) {
                break;
            }
            items[count] = reinterpret_cast<T*>(found & ~slot{1});
        }
        if (count != 0) {
            _popped_count.store(popped_count + count, std::memory_order_release);
        }
        return count;
    }

    // Is anything there?
    bool look_for_items() const noexcept {
        const std::size_t next = _popped_count.load(std::memory_order_relaxed);
        return is_full(load_slot(next), next);
    }

private:
    slot load_slot(std::size_t number) const noexcept {
        return _slots[number % Capacity].load(std::memory_order_acquire);
    }
    static bool is_full(slot found, std::size_t number) noexcept {
        return (found & 1) == mark_of(number);
    }
};

}  // namespace miniss
