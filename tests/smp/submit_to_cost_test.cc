// What a call to another shard allocates.
#include <array>
#include <vector>

#include <miniss/smp/runtime.hh>
#include <miniss/smp/smp.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/smp/stepped_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;

namespace {

// The first call between two shards makes what the others need too.
void call_once(stepped_shards& shards) {
    shards.on(0, [] { (void)smp::submit_to(1, [] {}); });
    shards.run_until_rest();
}

// What `count` calls allocate on both shards, from the first submit_to() to the last answer.
template <typename Func>
unsigned long allocations_of_calls(stepped_shards& shards, std::size_t count, Func func) {
    using result = futurize_t<std::invoke_result_t<Func&>>;
    std::vector<result> answers;
    answers.reserve(count);
    const allocations_since start;
    shards.on(0, [&] {
        for (std::size_t i = 0; i < count; ++i) {
            answers.push_back(smp::submit_to(1, func));
        }
    });
    shards.run_until_rest();
    const unsigned long allocated = start.count();
    for (auto& answer : answers) {
        REQUIRE(answer.available());
        answer.get();
    }
    return allocated;
}

// Some builds keep no memory, so that its use is checked.
bool keeps_memory() {
    internal::letter_memory memory;
    void* const first = memory.allocate(8);
    memory.free(first, 8);
    void* const second = memory.allocate(8);
    memory.free(second, 8);
    return first == second;
}

}  // namespace

TEST_CASE("a call that is answered at once takes one allocation at most", "[submit_to]") {
    stepped_shards shards(2);
    call_once(shards);
    CHECK(allocations_of_calls(shards, 10, [] { return 1; }) <= 10);
    const unsigned long again = keeps_memory() ? 0 : 10;
    CHECK(allocations_of_calls(shards, 10, [] { return make_ready_future<>(); }) == again);
}

TEST_CASE("calls that wait for room allocate no more than others", "[submit_to]") {
    stepped_shards shards(2);
    call_once(shards);
    CHECK(allocations_of_calls(shards, 1000, [] {}) <= 1000);
}

TEST_CASE("a call that is larger than a block of memory takes one allocation", "[submit_to]") {
    stepped_shards shards(2);
    call_once(shards);
    const std::array<char, 500> large{};
    CHECK(allocations_of_calls(shards, 10, [large] { return large[0]; }) == 10);
}

TEST_CASE("memory of calls is kept up to a limit, and given back in the end", "[submit_to]") {
    constexpr std::size_t count = internal::letter_memory::kept_count_max + 100;
    const long before = live_allocation_count();
    {
        std::vector<void*> letters(count);
        internal::letter_memory memory;
        for (void*& each : letters) {
            each = memory.allocate(internal::letter_memory::block_bytes);
        }
        for (void* each : letters) {
            memory.free(each, internal::letter_memory::block_bytes);
        }
        CHECK(live_allocation_count() - before <=
              static_cast<long>(internal::letter_memory::kept_count_max) + 1);
    }
    CHECK(live_allocation_count() == before);
}

TEST_CASE("a call that is answered later takes one allocation more", "[submit_to]") {
    promise<> soon;
    stepped_shards shards(2);
    call_once(shards);
    const allocations_since start;
    auto answer =
        shards.on(0, [&soon] { return smp::submit_to(1, [&soon] { return soon.get_future(); }); });
    shards.run_until_rest();
    shards.on(1, [&soon] { soon.set_value(); });
    shards.run_until_rest();
    const unsigned long allocated = start.count();
    CHECK(allocated == (keeps_memory() ? 1 : 2));
    REQUIRE(answer.available());
}

TEST_CASE("a call to the own shard allocates only to keep what a future needs", "[submit_to]") {
    stepped_shards shards(2);
    promise<int> soon;
    shards.on(0, [&soon] {
        allocations_since start;
        (void)smp::submit_to(0, [&soon] { return &soon; });
        CHECK(start.count() == 0);
        (void)smp::submit_to(0, [&soon] { return soon.get_future(); });
        CHECK(start.count() == 1);
        soon.set_value(1);
    });
    shards.run_until_rest();
}
