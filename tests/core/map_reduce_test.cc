// Loops that give a value, and loops with a bound.
#include <miniss/core/map_reduce.hh>

#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/max_concurrent_for_each.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("map_reduce() maps all at once and reduces in the order of the range", "[map_reduce]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    std::vector<int> numbers{1, 2, 3, 4};
    const auto start = shard.now();
    CHECK(shard.run([&] {
        return map_reduce(
            numbers, [](int i) { return sleep(1s * (5 - i)).then([i] { return i; }); },
            std::string("="), [](std::string so_far, int i) { return so_far + std::to_string(i); });
    }) == "=1234");
    CHECK(shard.now() - start < 5s);
    CHECK(map_reduce(
              numbers.begin(), numbers.end(), [](int i) { return i * i; }, 0, std::plus<int>())
              .get() == 30);
}

struct collecting {
    std::vector<int> all;
    bool busy = false;
    future<> operator()(int value) {
        CHECK(!busy);
        busy = true;
        return sleep(1ms).then([this, value] {
            busy = false;
            all.push_back(value);
        });
    }
    std::vector<int> get() { return std::move(all); }
};

TEST_CASE("a reducer object may wait, gets one value at a time, and is asked at the end",
          "[map_reduce]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    std::vector<int> numbers{1, 2, 3};
    CHECK(shard.run([&] {
        return map_reduce(
            numbers, [](int i) { return i; }, collecting());
    }) == numbers);
    int sum = 0;
    future<> done = map_reduce(
        numbers.begin(), numbers.end(), [](int i) { return i; }, [&sum](int i) { sum += i; });
    CHECK(done.available());
    CHECK(sum == 6);
}

TEST_CASE("map_reduce() of nothing gives what it began with", "[map_reduce]") {
    test_shard shard;
    std::vector<int> none;
    CHECK(map_reduce(
              none, [](int i) { return i; }, 5, std::plus<int>())
              .get() == 5);
}

TEST_CASE("map_reduce() waits for all, and fails with the first error of the range",
          "[map_reduce]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    std::vector<int> numbers{1, 2, 3, 4};
    int ended = 0;
    int reduced = 0;
    CHECK_THROWS_AS(shard.run([&] {
        return map_reduce(
                   numbers,
                   [&](int i) {
                       return sleep(1s * (5 - i)).then([&ended, i] {
                           ++ended;
                           if (i == 2) {
                               throw std::out_of_range("x");
                           }
                           if (i == 3) {
                               throw std::logic_error("y");
                           }
                           return i;
                       });
                   },
                   [&reduced](int) { ++reduced; })
            .finally([&ended] { CHECK(ended == 4); });
    }),
                    std::out_of_range);
    CHECK(reduced == 1);
    CHECK_THROWS_AS(map_reduce(
                        numbers, [](int i) { return i; }, [](int) { throw std::length_error("r"); })
                        .get(),
                    std::length_error);
    CHECK_THROWS_AS(
        map_reduce(
            numbers, [](int) -> int { throw std::length_error("m"); }, 0, std::plus<int>())
            .get(),
        std::length_error);
}

TEST_CASE("max_concurrent_for_each() never has more under way than it may", "[loop]") {
    test_shard shard(GENERATE(range(0U, 30U)));
    std::vector<int> jobs(20);
    std::iota(jobs.begin(), jobs.end(), 0);
    int inside = 0;
    int most = 0;
    std::vector<int> done;
    shard.run([&] {
        return max_concurrent_for_each(jobs, 3, [&](int& job) {
            most = std::max(most, ++inside);
            return sleep(1ms * (1 + job % 4)).then([&] {
                --inside;
                done.push_back(job);
            });
        });
    });
    CHECK(most == 3);
    std::sort(done.begin(), done.end());
    CHECK(done == jobs);
}

TEST_CASE("max_concurrent_for_each() waits for all, and fails with the first error", "[loop]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    std::vector<int> jobs{0, 1, 2, 3, 4, 5};
    int ended = 0;
    CHECK_THROWS_AS(shard.run([&] {
        return max_concurrent_for_each(jobs.begin(), jobs.end(), 2,
                                       [&](int job) {
                                           if (job == 3) {
                                               throw std::logic_error("late");
                                           }
                                           return sleep(1ms).then([&ended, job] {
                                               ++ended;
                                               if (job == 1) {
                                                   throw std::out_of_range("first");
                                               }
                                           });
                                       })
            .finally([&ended] { CHECK(ended == 5); });
    }),
                    std::out_of_range);
}

TEST_CASE("max_concurrent_for_each() takes a million ready rounds in constant stack", "[loop]") {
    test_shard shard(GENERATE(0U, 1U));
    std::vector<char> jobs(1'000'000);
    stack_depth depth;
    shard.run([&] { return max_concurrent_for_each(jobs, 2, [&](char) { depth.measure(); }); });
    CHECK(depth.range_bytes() < 10'000);
}

TEST_CASE("repeat_until_value() gives the first value that comes", "[loop]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    int rounds = 0;
    auto found = shard.run([&] {
        return repeat_until_value([&rounds] {
            return sleep(1s).then([&rounds] {
                return ++rounds < 5 ? std::optional<std::unique_ptr<int>>()
                                    : std::optional(std::make_unique<int>(rounds));
            });
        });
    });
    CHECK(*found == 5);
    CHECK(shard.run([&rounds] {
        return repeat_until_value(
            [&rounds] { return ++rounds < 10 ? std::nullopt : std::optional(rounds); });
    }) == 10);
    CHECK_THROWS_AS(shard.run([] {
        return repeat_until_value([]() -> std::optional<int> { throw std::logic_error("x"); });
    }),
                    std::logic_error);
    CHECK_THROWS_AS(shard.run([] {
        return repeat_until_value([] {
            return sleep(1s).then([]() -> std::optional<int> { throw std::logic_error("x"); });
        });
    }),
                    std::logic_error);
}

TEST_CASE("repeat_until_value() costs one allocation for the loop, none for the rounds",
          "[loop][cost]") {
    test_shard shard;
    int rounds = 0;
    const allocations_since start;
    auto found = repeat_until_value(
        [&rounds] { return ++rounds < 100 ? std::nullopt : std::optional(rounds); });
    shard.run_until_rest();
    CHECK(found.get() == 100);
    CHECK(start.count() == 1);
}
