// Waiting for the first of several.
#include <miniss/core/when_any.hh>

#include <stdexcept>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("when_any() is ready with the first of its futures, and hands all of them on",
          "[when_any]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    shard.run([] {
        const auto start = engine().backend().now();
        return when_any(sleep(3s), sleep(1s).then([] { return 7; }), [] { return sleep(2s); })
            .then([start](auto&& first) {
                CHECK(engine().now() - start < 2s);
                CHECK(first.index == 1);
                auto& [a, b, c] = first.futures;
                CHECK(b.get() == 7);
                CHECK(!a.available());
                CHECK(!c.available());
                return when_all_succeed(std::move(a), std::move(c)).discard_result();
            })
            .then([start] { CHECK(engine().now() - start >= 3s); });
    });
}

TEST_CASE("when_any() takes the first that is ready already", "[when_any]") {
    test_shard shard;
    promise<> pending;
    auto first =
        when_any(pending.get_future(), make_ready_future<int>(1), make_ready_future<int>(2)).get();
    CHECK(first.index == 1);
    CHECK(std::get<1>(first.futures).get() == 1);
    CHECK(std::get<2>(first.futures).get() == 2);
    CHECK(!std::get<0>(first.futures).available());
    pending.set_value();
    shard.run_until_rest();
    CHECK(std::get<0>(first.futures).available());
}

TEST_CASE("a failure is a result for when_any() too", "[when_any]") {
    test_shard shard;
    promise<> failing;
    promise<> pending;
    auto any = when_any(pending.get_future(), failing.get_future());
    failing.set_exception(std::logic_error("x"));
    shard.run_until_rest();
    auto first = any.get();
    CHECK(first.index == 1);
    CHECK_THROWS_AS(std::get<1>(first.futures).get(), std::logic_error);
    pending.set_value();
    shard.run_until_rest();
    std::get<0>(first.futures).get();
}

TEST_CASE("when_any() of a range gives a vector", "[when_any]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    shard.run([] {
        std::vector<future<int>> futures;
        for (int i = 1; i <= 5; ++i) {
            futures.push_back(sleep(1s * ((i + 2) % 5 + 1)).then([i] { return i; }));
        }
        return when_any(futures.begin(), futures.end()).then([](auto&& first) {
            CHECK(first.index == 2);
            CHECK(first.futures.size() == 5);
            CHECK(first.futures[2].get() == 3);
            first.futures.erase(first.futures.begin() + 2);
            return when_all_succeed(first.futures.begin(), first.futures.end())
                .then([](std::vector<int>&& others) {
                    CHECK(others == std::vector<int>{1, 2, 4, 5});
                });
        });
    });
}

TEST_CASE("a late failure that nobody waits for after when_any() is reported", "[when_any]") {
    test_shard shard;
    promise<> late;
    { auto first = when_any(late.get_future(), make_ready_future<>()).get(); }
    const expect_ignored_failures expected(1);
    late.set_exception(std::logic_error("late"));
    shard.run_until_rest();
}
