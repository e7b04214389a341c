// The memory of tasks: what a shard keeps, and where it goes when it crosses shards.
#include <miniss/core/task_memory.hh>

#include <cstdint>
#include <memory>
#include <thread>
#include <tuple>
#include <vector>

#include <miniss/core/coroutine.hh>
#include <miniss/core/future.hh>
#include <miniss/core/pool_statistics.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/lists_keep.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using internal::allocate_task_memory;
using internal::free_task_memory;

namespace {

struct alignas(64) aligned_work final : internal::in_task_memory {
    char bytes[64];
};

struct counts {
    std::uint64_t taken;
    std::uint64_t returned;
    std::uint64_t missed;
};

// Of one list, of which ten blocks were held at a time.
void check_counts(const shard_context& shard, std::size_t list_number, counts wanted) {
    const pool_statistics found = shard.free_memory.statistics(list_number);
    CHECK(found.taken_count == wanted.taken);
    CHECK(found.returned_count == wanted.returned);
    CHECK(found.missed_count == wanted.missed);
    CHECK(found.held_count_max == 10);
}

future<int> later(promise<int>& source) { co_return co_await source.get_future() + 1; }

}  // namespace

TEST_CASE("a shard gives the memory of its last task to the next one of its size",
          "[task_memory]") {
    const lists_keep some(4);
    shard_context here;
    const sim::acting_as on_it(here);
    void* const first = allocate_task_memory(100);
    free_task_memory(first, 100);
    const allocations_since start;
    void* const smaller = allocate_task_memory(97);
    CHECK(smaller == first);
    CHECK(start.count() == 0);
    void* const other = allocate_task_memory(96);
    CHECK(start.count() == 1);
    free_task_memory(smaller, 97);
    free_task_memory(other, 96);
}

TEST_CASE("a shard keeps so many blocks and no more, and gives them back in the end",
          "[task_memory]") {
    const auto [bytes, list_number, piece_bytes] =
        GENERATE(std::tuple(200u, 199u / 32, 224u), std::tuple(8161u, 32u, 8192u));
    const long live_before = live_allocation_count();
    {
        const lists_keep some(4);
        shard_context here;
        const sim::acting_as on_it(here);
        CHECK(here.free_memory.statistics(list_number).piece_bytes == piece_bytes);
        std::vector<void*> blocks;
        for (int i = 0; i < 10; ++i) {
            blocks.push_back(allocate_task_memory(bytes));
        }
        const long live_with_all = live_allocation_count();
        check_counts(here, list_number, {.taken = 10, .returned = 0, .missed = 10});
        for (void* block : blocks) {
            free_task_memory(block, bytes);
        }
        CHECK(live_allocation_count() == live_with_all - 6);
        check_counts(here, list_number, {.taken = 10, .returned = 10, .missed = 10});
        const allocations_since start;
        for (void*& block : blocks) {
            block = allocate_task_memory(bytes);
        }
        CHECK(start.count() == 6);
        check_counts(here, list_number, {.taken = 20, .returned = 10, .missed = 16});
        for (void* block : blocks) {
            free_task_memory(block, bytes);
        }
    }
    CHECK(live_allocation_count() == live_before);
}

TEST_CASE("memory that crosses shards is kept by the one that frees it", "[task_memory]") {
    const lists_keep some(4);
    const long live_before = live_allocation_count();
    {
        shard_context here;
        shard_context there;
        void* block = nullptr;
        {
            const sim::acting_as on_it(here);
            block = allocate_task_memory(64);
        }
        {
            const sim::acting_as on_it(there);
            free_task_memory(block, 64);
            CHECK(allocate_task_memory(64) == block);
        }
        // A thread that plays no shard keeps nothing.
        const long live_with_it = live_allocation_count();
        std::thread([block] { free_task_memory(block, 64); }).join();
        CHECK(live_allocation_count() < live_with_it);
    }
    CHECK(live_allocation_count() == live_before);
}

TEST_CASE("what is large or has an alignment of its own is left to the general allocator",
          "[task_memory]") {
    const lists_keep some(4);
    const long live_before = live_allocation_count();
    shard_context here;
    const sim::acting_as on_it(here);
    for (const std::size_t bytes : {1025u, 4096u, 8160u, 8193u}) {
        void* const large = allocate_task_memory(bytes);
        free_task_memory(large, bytes);
        CHECK(live_allocation_count() == live_before);
    }
    const auto aligned = std::make_unique<aligned_work>();
    CHECK(reinterpret_cast<std::uintptr_t>(aligned.get()) % 64 == 0);
}

TEST_CASE("once its lists have filled, a shard's chains and coroutines allocate nothing",
          "[task_memory][cost]") {
    const lists_keep some(16);
    test_shard shard;
    const auto rounds = [&shard](int count) {
        for (int i = 0; i < count; ++i) {
            promise<int> source;
            promise<int> other;
            auto chained = source.get_future().then([](int x) { return x + 1; }).finally([] {});
            auto awaited = later(other);
            source.set_value(1);
            other.set_value(2);
            for (int turn = 0; turn < 3; ++turn) {
                shard.shard().loop.run_one_turn();
            }
            CHECK(chained.get() + awaited.get() == 5);
        }
    };
    rounds(2);
    const allocations_since start;
    rounds(100);
    CHECK(start.count() == 0);
}

TEST_CASE("task_allocator serves containers and shared pointers", "[task_memory]") {
    const lists_keep some(16);
    const long live_before = live_allocation_count();
    {
        shard_context here;
        const sim::acting_as on_it(here);
        std::vector<int, task_allocator<int>> numbers;
        for (int i = 0; i < 1000; ++i) {
            numbers.push_back(i);
        }
        CHECK(numbers.back() == 999);
        std::allocate_shared<int>(task_allocator<int>(), 7).reset();
        const allocations_since start;
        const auto again = std::allocate_shared<int>(task_allocator<int>(), 8);
        CHECK(*again == 8);
        CHECK(start.count() == 0);
        CHECK_THROWS_AS(task_allocator<int>().allocate(static_cast<std::size_t>(-1) / 2),
                        std::bad_alloc);
    }
    CHECK(live_allocation_count() == live_before);
}
