// What others can see of a shard's loop: whether it still comes round, and whether it sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace miniss::internal {

// Someone who looks at pulses now and then, but rests while all shards sleep.
class pulse_watcher {
public:
    // True while it rests, and is to be called when a shard wakes up.
    std::atomic<bool> rests{false};
    virtual void call() noexcept = 0;

protected:
    ~pulse_watcher() = default;
};

// Shard: all calls but count() on the shard's own thread.
// Cost:  a turn adds to a counter of its own; waking up is a fence more.
class shard_pulse {
    std::atomic<std::uint64_t> _count{0};
    pulse_watcher* _watcher = nullptr;

public:
    // Changes with every turn. Odd while the shard sleeps. Any thread.
    std::uint64_t count() const noexcept { return _count.load(std::memory_order_seq_cst); }
    static bool is_asleep(std::uint64_t count) noexcept { return count % 2 != 0; }

    void begin_turn() noexcept {
        _count.store(_count.load(std::memory_order_relaxed) + 2, std::memory_order_release);
    }
    void fall_asleep() noexcept {
        _count.store(_count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    // The watcher says that it rests and then looks whether all sleep; we say that we are awake and
    // then look whether it rests. So one of the two notices.
    void wake_up() noexcept {
        _count.store(_count.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
        if (_watcher != nullptr && _watcher->rests.load(std::memory_order_seq_cst)) {
            _watcher->call();
        }
    }

    void set_watcher(pulse_watcher* watcher) noexcept { _watcher = watcher; }
};

}  // namespace miniss::internal
