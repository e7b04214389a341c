// What a seed leaves to chance, and what it does not.
#include <cstdint>
#include <stdexcept>
#include <string>

#include <miniss/core/checked_build.hh>
#include <miniss/core/coroutine.hh>
#include <miniss/core/future.hh>
#include <miniss/core/loop.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

// How many of a hundred possible points of preemption are taken.
int preempted_count(std::uint64_t seed) {
    test_shard shard(seed);
    return shard.run([] {
        int count = 0;
        for (int i = 0; i < 100; ++i) {
            count += need_preempt() ? 1 : 0;
        }
        return count;
    });
}

// How many of a hundred callbacks on ready futures do not run at once.
int deferred_count(std::uint64_t seed) {
    test_shard shard(seed);
    return shard.run([] {
        int count = 0;
        for (int i = 0; i < 100; ++i) {
            count += make_ready_future<>().then([] {}).available() ? 0 : 1;
        }
        return count;
    });
}

}  // namespace

TEST_CASE("seeds preempt at some points, some seeds at every possible one, seed 0 at none",
          "[chance]") {
    CHECK(preempted_count(0) == 0);
    int always = 0;
    int sometimes = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const int count = preempted_count(seed);
        always += count == 100 ? 1 : 0;
        sometimes += count > 0 && count < 100 ? 1 : 0;
    }
    CHECK((always > 0) == sim::sim_world::provokes);
    CHECK(sometimes > 0);
    CHECK(always + sometimes == 20);
}

TEST_CASE("in checked builds ready futures are pending now and then, under a seed and in a task",
          "[chance]") {
    CHECK(deferred_count(0) == 0);
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const int count = deferred_count(seed);
        CHECK(count < 100);
        CHECK((count > 0) == (internal::is_checked_build && sim::sim_world::provokes));
    }
    test_shard shard(1);
    for (int i = 0; i < 100; ++i) {
        CHECK(make_ready_future<>().then([] {}).available());
    }
}

TEST_CASE("chains, loops and coroutines give the same whether chance defers them or not",
          "[chance]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    const auto sum_of = [](int count) -> future<int> {
        int sum = 0;
        for (int i = 1; i <= count; ++i) {
            sum += co_await make_ready_future<int>(i).then([](int x) { return x; });
        }
        co_return sum;
    };
    std::string trace;
    int left = 3;
    const int sum = shard.run([&] {
        return repeat([&trace, &left] {
                   trace += 'r';
                   return make_ready_future<stop_iteration>(--left == 0 ? stop_iteration::yes
                                                                        : stop_iteration::no);
               })
            .then([] { return make_exception_future<>(std::runtime_error("x")); })
            .then([&trace] { trace += '!'; })
            .handle_exception([&trace](const std::exception_ptr&) { trace += 'h'; })
            .finally([&trace] { trace += 'f'; })
            .then([&sum_of] { return sum_of(10); });
    });
    CHECK(trace == "rrrhf");
    CHECK(sum == 55);
}
