// Waiting for several futures at once.
#include <miniss/core/when_all.hh>

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

future<int> value_after(std::chrono::nanoseconds delay, int value) {
    if (delay.count() == 0) {
        return make_ready_future<int>(value);
    }
    return sleep(delay).then([value] { return value; });
}

future<int> error_after(std::chrono::nanoseconds delay, const char* text) {
    return value_after(delay, 0).then([text](int) -> int { throw std::runtime_error(text); });
}

template <typename Func>
std::string error_of(test_shard& shard, Func func) {
    try {
        (void)shard.run(func);
        return "none";
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("when_all() gives all futures, ready, in the order of the arguments", "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto delay = GENERATE(0s, 1s);
    shard.run([&] {
        return when_all(value_after(delay, 1), value_after(0s, 2), make_ready_future<>())
            .then([](std::tuple<future<int>, future<int>, future<>> all) {
                CHECK(std::get<0>(all).get() == 1);
                CHECK(std::get<1>(all).get() == 2);
                CHECK_NOTHROW(std::get<2>(all).get());
            });
    });
}

TEST_CASE("when_all() never fails: the caller finds the errors in the futures", "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto delay = GENERATE(0s, 1s);
    shard.run([&] {
        return when_all(error_after(delay, "a"), value_after(2 * delay, 2))
            .then([](std::tuple<future<int>, future<int>> all) {
                CHECK(std::get<0>(all).failed());
                CHECK(std::get<1>(all).get() == 2);
                CHECK_THROWS_AS(std::get<0>(all).get(), std::runtime_error);
            });
    });
}

TEST_CASE("when_all() waits for the last", "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto begin = shard.now();
    shard.run([] {
        return when_all(value_after(1s, 1), value_after(3s, 2), value_after(2s, 3))
            .discard_result();
    });
    CHECK(shard.now() - begin == 3s);
}

TEST_CASE("errors in futures of when_all() that nobody reads are reported", "[when_all]") {
    test_shard shard;
    const expect_ignored_failures two(2);
    shard.run([] { return when_all(error_after(0s, "a"), error_after(1s, "b")).discard_result(); });
}

TEST_CASE("when_all() calls callables, and what they throw becomes a failed future", "[when_all]") {
    test_shard shard;
    shard.run([] {
        return when_all([] { return value_after(1s, 1); }, [] { return 2; },
                        []() -> int { throw std::runtime_error("x"); })
            .then([](std::tuple<future<int>, future<int>, future<int>> all) {
                CHECK(std::get<0>(all).get() == 1);
                CHECK(std::get<1>(all).get() == 2);
                CHECK_THROWS_AS(std::get<2>(all).get(), std::runtime_error);
            });
    });
}

TEST_CASE("when_all() of nothing is ready at once", "[when_all]") {
    test_shard shard;
    CHECK(when_all().available());
    std::vector<future<int>> none;
    CHECK(when_all(none.begin(), none.end()).available());
}

TEST_CASE("when_all() over a range gives a vector of ready futures", "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::vector<future<int>> futures;
    futures.push_back(value_after(2s, 1));
    futures.push_back(error_after(1s, "x"));
    futures.push_back(value_after(0s, 3));
    auto all = shard.run([&] { return when_all(futures.begin(), futures.end()); });
    REQUIRE(all.size() == 3);
    CHECK(all[0].get() == 1);
    CHECK_THROWS_AS(all[1].get(), std::runtime_error);
    CHECK(all[2].get() == 3);
}

TEST_CASE("when_all() costs one allocation, and none if all are ready", "[when_all][cost]") {
    test_shard shard;
    promise<int> first;
    promise<int> second;
    auto a = first.get_future();
    auto b = second.get_future();
    const allocations_since start;
    auto all = when_all(std::move(a), make_ready_future<int>(1), std::move(b));
    CHECK(start.count() == 1);
    second.set_value(2);
    first.set_value(1);
    shard.run_until_rest();
    CHECK(all.available());
    const allocations_since all_were_ready;
    auto again = when_all(make_ready_future<int>(1), make_ready_future<>());
    CHECK(all_were_ready.count() == 0);
    CHECK(again.available());
}

TEST_CASE("when_all() calls callables in their order", "[when_all]") {
    std::string called;
    (void)when_all([&called] { called += 'a'; }, [&called] { called += 'b'; },
                   [&called] { called += 'c'; });
    CHECK(called == "abc");
}

TEST_CASE("when_all_succeed() gives the values, without those of future<>", "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto delay = GENERATE(0s, 1s);
    const std::tuple<int, std::string> values = shard.run([&] {
        return when_all_succeed(value_after(delay, 1), make_ready_future<>(),
                                make_ready_future<std::string>("two"));
    });
    CHECK(values == std::tuple(1, std::string("two")));
}

TEST_CASE("when_all_succeed() fails with the first error by the order of the arguments",
          "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto begin = shard.now();
    const std::string error = error_of(shard, [] {
        return when_all_succeed(value_after(4s, 0), error_after(3s, "first"),
                                error_after(1s, "second"), error_after(0s, "third"));
    });
    CHECK(error == "first");
    CHECK(shard.now() - begin == 4s);  // It has waited for all.
}

TEST_CASE("when_all_succeed() over a range gives a vector of values", "[when_all]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::vector<future<int>> futures;
    for (int i = 0; i < 5; ++i) {
        futures.push_back(value_after(std::chrono::seconds(5 - i), i));
    }
    SECTION("of all") {
        const std::vector<int> values =
            shard.run([&] { return when_all_succeed(futures.begin(), futures.end()); });
        CHECK(values == std::vector<int>{0, 1, 2, 3, 4});
    }
    SECTION("or the first error in order of the range") {
        futures[1] = error_after(9s, "first");
        futures[3] = error_after(0s, "second");
        const auto begin = shard.now();
        CHECK(error_of(shard, [&] { return when_all_succeed(futures.begin(), futures.end()); }) ==
              "first");
        CHECK(shard.now() - begin == 9s);
    }
}

TEST_CASE("when_all_succeed() over a range of future<> gives nothing but success or an error",
          "[when_all]") {
    test_shard shard;
    std::vector<future<>> futures;
    futures.push_back(sleep(1s));
    futures.push_back(make_ready_future<>());
    SECTION("success") {
        CHECK_NOTHROW(shard.run([&] { return when_all_succeed(futures.begin(), futures.end()); }));
    }
    SECTION("error") {
        futures.push_back(make_exception_future<>(std::runtime_error("x")));
        CHECK(error_of(shard, [&] { return when_all_succeed(futures.begin(), futures.end()); }) ==
              "x");
    }
}

TEST_CASE("when_all_succeed() moves values that cannot be copied", "[when_all]") {
    test_shard shard;
    auto [one, two] = shard.run([] {
        return when_all_succeed(make_ready_future<std::unique_ptr<int>>(std::make_unique<int>(1)),
                                sleep(1s).then([] { return std::make_unique<int>(2); }));
    });
    CHECK(*one == 1);
    CHECK(*two == 2);
}

TEST_CASE("when_all() ends with broken promises where promises die", "[when_all]") {
    test_shard shard;
    auto source = std::make_unique<promise<int>>();
    auto all = when_all(source->get_future(), make_ready_future<int>(1));
    source.reset();
    shard.run_until_rest();
    REQUIRE(all.available());
    auto futures = all.get();
    CHECK_THROWS_AS(std::get<0>(futures).get(), broken_promise);
    CHECK(std::get<1>(futures).get() == 1);
}
