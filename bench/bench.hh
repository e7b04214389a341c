// What a micro benchmark is, and the program that runs a list of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>

namespace miniss::bench {

// Gives `value` back, but the compiler can neither know that it is the same nor what has become of
// the memory that others can reach: what is computed from it must be computed.
template <typename T>
T hidden(T value) noexcept {
    asm volatile("" : "+r"(value) : : "memory");
    return value;
}

// One run of a benchmark, and the clock beside it.
class trial {
    std::chrono::steady_clock::time_point _start;
    std::chrono::nanoseconds _elapsed{0};
    unsigned long _allocations_before = 0;
    unsigned long _allocation_count = 0;
    bool _running = false;

public:
    // How often to do what is being measured.
    const std::uint64_t rounds;

    explicit trial(std::uint64_t round_count) noexcept : rounds(round_count) {}

    // What came before is preparation, and is not measured.
    void start() noexcept;
    // What comes after is clearing up. Only the first call after start() counts.
    void stop() noexcept;

    std::chrono::nanoseconds elapsed() const noexcept { return _elapsed; }
    unsigned long allocation_count() const noexcept { return _allocation_count; }

    // Calls round() for every round, and adds up what it returns.
    template <typename Round>
    std::uint64_t sum(Round&& round) const noexcept {
        std::uint64_t result = 0;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            result += round();
        }
        return result;
    }
};

struct benchmark {
    // Programs and people pick benchmarks by name: no spaces.
    const char* name;
    // Does what is to be measured, `rounds` times. Returns the checksum: how many operations were
    // done, added up from what came out of each of them.
    std::uint64_t (*body)(trial& each);
    std::uint64_t operations_per_round = 1;
};

// The main() of a benchmark program. Returns its exit code: not 0 if a checksum was wrong or
// anything failed.
int run_benchmarks(int argc, const char* const* argv, std::initializer_list<benchmark> all);

}  // namespace miniss::bench
