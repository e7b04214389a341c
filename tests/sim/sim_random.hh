// The chances of a simulated world: the same seed gives the same world, on every machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace miniss::sim {

// Seed 0 is the plain world, in which nothing is left to chance: everything is whole, at once and
// in order.
class sim_random {
    std::uint64_t _state;
    bool _plain;

public:
    explicit sim_random(std::uint64_t seed) noexcept : _state(seed), _plain(seed == 0) {}

    // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). The
    // distributions of <random> differ from one library to the next.
    std::uint64_t draw() noexcept {
        std::uint64_t z = _state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    // Of two ways to go, the unusual one?
    bool coin() noexcept { return !_plain && draw() % 2 == 0; }

    // One of `count` things, by its index.
    std::size_t pick(std::size_t count) noexcept { return _plain ? 0 : draw() % count; }

    // How much of `size` goes at once: at least 1, usually little or all.
    std::size_t piece(std::size_t size) noexcept {
        if (_plain || size <= 1 || draw() % 4 == 0) {
            return size;
        }
        const std::size_t most = draw() % 4 == 0 && size > 16 ? 16 : size;
        return 1 + draw() % most;
    }

    // How long something takes: often no time at all, at most `most`.
    std::chrono::nanoseconds delay(std::chrono::nanoseconds most) noexcept {
        if (_plain || most.count() <= 0 || draw() % 2 == 0) {
            return std::chrono::nanoseconds::zero();
        }
        return std::chrono::nanoseconds(
            static_cast<std::int64_t>(draw() % static_cast<std::uint64_t>(most.count() + 1)));
    }

    template <typename T>
    void shuffle(std::vector<T>& row) noexcept {
        for (std::size_t i = row.size(); !_plain && i > 1; --i) {
            std::swap(row[i - 1], row[draw() % i]);
        }
    }
};

}  // namespace miniss::sim
