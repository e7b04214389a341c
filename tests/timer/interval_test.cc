// The rhythm of ticks, on a clock that the test moves, in virtual time, and once in real time.
#include <miniss/timer/interval.hh>

#include <string>

#include <miniss/core/do_with.hh>
#include <miniss/core/loop.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

using manual_interval = interval<manual_clock>;

// Lets `shard` notice that the manual clock has moved.
void pass(test_shard& shard, std::chrono::nanoseconds by) {
    manual_clock::advance(by);
    shard.run_until_rest();
}

// The moments, in ms from `start`, of the ticks that are ready now, and then of one more.
std::string ticks_due(test_shard& shard, manual_interval& rhythm, manual_clock::time_point start) {
    std::string list;
    for (;;) {
        auto tick = rhythm.tick();
        const bool was_due = tick.available();
        while (!tick.available()) {
            pass(shard, 1ms);
        }
        list += std::to_string((tick.get() - start) / 1ms) + (was_due ? " " : "");
        if (!was_due) {
            return list;
        }
    }
}

}  // namespace

TEST_CASE("an interval's first tick is due at once, or at the moment that was named",
          "[interval]") {
    test_shard shard;
    const auto start = manual_clock::now();
    manual_interval at_once(10ms);
    auto first = at_once.tick();
    REQUIRE(first.available());
    CHECK(first.get() == start);
    manual_interval later(start + 5ms, 10ms);
    auto tick = later.tick();
    pass(shard, 4ms);
    CHECK_FALSE(tick.available());
    pass(shard, 1ms);
    REQUIRE(tick.available());
    CHECK(tick.get() == start + 5ms);
}

TEST_CASE("missed ticks come in a burst, delay the rhythm or are skipped", "[interval]") {
    test_shard shard;
    const auto [missed, expected] =
        GENERATE(table<missed_ticks, std::string>({{missed_ticks::burst, "10 20 30 40"},
                                                   {missed_ticks::delay, "10 45"},
                                                   {missed_ticks::skip, "10 40"}}));
    const auto start = manual_clock::now();
    manual_interval rhythm(10ms, missed);
    CHECK(rhythm.tick().get() == start);
    pass(shard, 35ms);
    CHECK(ticks_due(shard, rhythm, start) == expected);
}

TEST_CASE("a tick that is asked for late, but before the next one is due, is not missed",
          "[interval]") {
    test_shard shard;
    const auto missed = GENERATE(missed_ticks::burst, missed_ticks::delay, missed_ticks::skip);
    const auto start = manual_clock::now();
    manual_interval rhythm(10ms, missed);
    CHECK(rhythm.tick().get() == start);
    pass(shard, 19ms);
    CHECK(ticks_due(shard, rhythm, start) == "10 20");
}

TEST_CASE("reset() makes the next tick due in one period", "[interval]") {
    test_shard shard;
    manual_interval rhythm(10ms);
    pass(shard, 3ms);
    const auto start = manual_clock::now();
    rhythm.reset();
    CHECK(ticks_due(shard, rhythm, start) == "10");
    CHECK(rhythm.period() == 10ms);
}

// Each tick comes at its moment or, as turns take no time here, at most a time slice later.
TEST_CASE("a hundred thousand ticks do not drift", "[interval]") {
    test_shard shard(GENERATE(0U, 7U));
    shard.run([] {
        const auto start = engine().backend().now();
        return do_with(interval<>(1ms), 0, [start](interval<>& rhythm, int& count) {
            return repeat([&rhythm, &count, start] {
                return rhythm.tick().then([&count, start](steady_clock::time_point due) {
                    REQUIRE(due == start + count * 1ms);
                    REQUIRE(engine().backend().now() - due < 1ms);
                    return ++count == 100'000 ? stop_iteration::yes : stop_iteration::no;
                });
            });
        });
    });
}

TEST_CASE("real ticks never come early, and do not drift", "[interval]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const auto start = steady_clock::now();
    shard.run([start] {
        return do_with(interval<>(start, 2ms), 0, [start](interval<>& rhythm, int& count) {
            return repeat([&rhythm, &count, start] {
                return rhythm.tick().then([&count, start](steady_clock::time_point due) {
                    CHECK(due == start + count * 2ms);
                    CHECK(steady_clock::now() >= due);
                    return ++count == 25 ? stop_iteration::yes : stop_iteration::no;
                });
            });
        });
    });
    CHECK(steady_clock::now() - start >= 48ms);
}
