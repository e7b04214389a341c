// Gives a thread that played a shard back to its owner as it was.
#pragma once

#include <array>
#include <vector>

namespace miniss::internal {

// Remembers the name, the CPUs and the memory policy of the calling thread, and restores them when
// it is destroyed, on the same thread. What the system does not tell, or does not allow to be set
// again, stays as it is by then.
class borrowed_thread {
    using mask = std::vector<unsigned long>;

    std::array<char, 16> _name{};
    mask _cpus;
    mask _nodes;
    int _memory_policy = -1;

public:
    borrowed_thread();
    borrowed_thread(const borrowed_thread&) = delete;
    borrowed_thread& operator=(const borrowed_thread&) = delete;
    ~borrowed_thread();

    // Gives the calling thread, which may be another one, the same CPUs and memory policy.
    void place_here() const noexcept;
};

}  // namespace miniss::internal
