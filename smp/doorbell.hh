// How a shard that sleeps learns that others have put something in front of its door.
#pragma once

#include <atomic>

#include <miniss/core/io_backend.hh>
#include <miniss/smp/spsc_queue.hh>

namespace miniss {

// Waking a shard that sleeps takes a system call, and on most machines an interrupt: 7 to 16 µs of
// the sender's time. Asking whether it sleeps takes one read of a cache line that hardly ever
// changes. So a sleeper says that it sleeps, and nobody wakes one who is awake.
//
// The danger is the wake-up that gets lost. Both sides do two things:
//
//     sender                                    sleeper
//     1. put something into a queue             1. say "I sleep"
//     2. look whether the other one sleeps      2. look into the queue once more
//
// It suffices that one of them sees what the other did: then the sender rings, or the sleeper
// stays awake. In whatever way the four steps interleave, one of the second steps comes last and
// sees the other side's first. But a processor does not keep that order by itself: it parks its
// stores in a buffer, and the load of step 2 may overtake the store of step 1, on both sides at
// once. Then the sender reads "awake", the sleeper reads "empty", and the shard sleeps on its
// mail. Acquire and release do not help, since they only keep a store behind what comes before
// it. What helps is a sequentially consistent fence between the two steps, on *both* sides: of two
// such fences one is first, and what is stored before it is seen by every load behind the other.
//
// The fence costs its sender about 2 ns, once for each batch. It could be spared him by a sleeper
// that calls membarrier(2), which puts a fence into every running thread; but that takes 9 µs
// while the others run, each time a shard goes to sleep.
//
// Who rings first takes the sleeper's word back, so that one wake-up is sent for any number of
// senders. That the sleeper may have got up by itself in the meantime does no harm: a wake-up that
// comes too late ends its next sleep early.
//
// Lifetime: as long as anybody may still ring; the same goes for the backend.
class alignas(cache_line_bytes) doorbell {
    std::atomic<bool> _asleep{false};
    io_backend& _backend;

public:
    explicit doorbell(io_backend& backend) noexcept : _backend(backend) {}

    // -- The sleeper: lie_down(), look into the queues once more, sleep or not, get_up() ----

    void lie_down() noexcept {
        _asleep.store(true, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    void get_up() noexcept { _asleep.store(false, std::memory_order_relaxed); }

    // -- Anybody: put something into a queue, fence(), ring_if_asleep() ---------------------

    static void fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }

    void ring_if_asleep() noexcept {
        if (_asleep.load(std::memory_order_relaxed) &&
            _asleep.exchange(false, std::memory_order_relaxed)) {
            _backend.wake();
        }
    }
};

}  // namespace miniss
