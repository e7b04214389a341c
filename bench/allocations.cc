// Takes the place of operator new and delete in the benchmark programs, to count the calls.
#include <miniss/bench/allocations.hh>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include <miniss/core/this_shard.hh>

namespace {

// Each shard has a counter of its own, which no other thread writes: an atomic addition would cost
// as much as half of what is being measured. The first one is shared by the threads that are no
// shards; two of them that allocate at the same moment may count as one.
struct alignas(64) counter {
    std::atomic<unsigned long> count{0};
};

std::array<counter, 16> counters;

void count_one() noexcept {
    const miniss::shard_context* shard = miniss::this_shard;
    auto& count = counters[shard == nullptr ? 0 : (shard->id + 1) % counters.size()].count;
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Null if there is no memory.
void* allocate(std::size_t size_bytes) noexcept {
    count_one();
    return std::malloc(size_bytes != 0 ? size_bytes : 1);
}

}  // namespace

// The array forms and those with a size come here by default.
void* operator new(std::size_t size_bytes) {
    void* memory = allocate(size_bytes);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}
void* operator new(std::size_t size_bytes, const std::nothrow_t&) noexcept {
    return allocate(size_bytes);
}
void* operator new(std::size_t size_bytes, std::align_val_t alignment) {
    count_one();
    const auto bytes = static_cast<std::size_t>(alignment);
    void* memory = std::aligned_alloc(bytes, (size_bytes + bytes - 1) / bytes * bytes);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

unsigned long miniss::bench::allocation_count() noexcept {
    unsigned long sum = 0;
    for (const counter& each : counters) {
        sum += each.count.load(std::memory_order_relaxed);
    }
    return sum;
}
