// A door that is open for a while: whoever is inside keeps it from being shut.
#pragma once

#include <atomic>
#include <cstdint>

namespace miniss::internal {

// Between threads that know nothing of each other, of which one takes something apart that others
// may be using.
//
// Lifetime: static, as those who come too late still find it shut.
// Shard:    any thread; open() and shut() by the same one.
// Cost:     entering and leaving are one atomic addition each.
class door {
    static constexpr std::uint32_t is_shut = 1;
    static constexpr std::uint32_t one_inside = 2;
    std::atomic<std::uint32_t> _state{is_shut};

public:
    void open() noexcept { _state.fetch_and(~is_shut, std::memory_order_release); }

    // Nobody gets in any more. Waits until the last one has left.
    void shut() noexcept {
        auto state = _state.fetch_or(is_shut, std::memory_order_acq_rel) | is_shut;
        while (state != is_shut) {
            _state.wait(state, std::memory_order_acquire);
            state = _state.load(std::memory_order_acquire);
        }
    }

    // False if it is shut.
    bool enter() noexcept {
        if ((_state.fetch_add(one_inside, std::memory_order_acquire) & is_shut) == 0) {
            return true;
        }
        leave();
        return false;
    }

    void leave() noexcept {
        if (_state.fetch_sub(one_inside, std::memory_order_release) == (one_inside | is_shut)) {
            _state.notify_all();
        }
    }
};

}  // namespace miniss::internal
