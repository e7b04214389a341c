// Sleeping and waiting with a limit, in virtual time.
#include <miniss/timer/sleep.hh>

#include <stdexcept>
#include <string>

#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/with_timeout.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("sleep() takes as long as it was told to, in virtual time", "[sleep]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    const auto slept = shard.run([] {
        const auto start = engine().backend().now();
        return sleep(24h).then([start] { return engine().now() - start; });
    });
    CHECK(slept >= 24h);
    CHECK(slept < 24h + 1s);
}

TEST_CASE("with_timeout() passes a result on that comes in time", "[sleep]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    const int value =
        shard.run([] { return with_timeout(10ms, sleep(1ms).then([] { return 7; })); });
    CHECK(value == 7);
    CHECK(shard.run([] { return with_timeout(10ms, make_ready_future<int>(8)); }) == 8);
}

TEST_CASE("with_timeout() fails at its moment and does not stop the work", "[sleep]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    bool worked_on = false;
    shard.run([&worked_on] {
        return with_timeout(1ms, sleep(1h).then([&worked_on] { worked_on = true; }))
            .then_wrapped([&worked_on](future<> ended) {
                CHECK_FALSE(worked_on);
                CHECK_THROWS_AS(ended.get(), timed_out_error);
                return sleep(2h);
            });
    });
    CHECK(worked_on);
}

// An ignored failure would fail the whole run of the tests.
TEST_CASE("with_timeout() drops a late error without a word", "[sleep]") {
    test_shard shard;
    shard.run([] {
        auto late =
            sleep(1h).then([] { return make_exception_future<>(std::runtime_error("late")); });
        return with_timeout(1ms, std::move(late))
            .handle_exception_type([](const timed_out_error&) {})
            .then([] { return sleep(2h); });
    });
}

TEST_CASE("sleepers are told when their shard stops", "[sleep]") {
    std::string told;
    {
        test_shard shard;
        shard.run([&told] {
            run_in_background("sleeper",
                              sleep(1h).handle_exception_type(
                                  [&told](const sleep_aborted& error) { told = error.what(); }));
        });
    }
    CHECK(told == "sleep aborted");
}
