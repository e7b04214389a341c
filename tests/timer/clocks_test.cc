// The clock of the turn, and limits to how long one waits.
#include <miniss/timer/clocks.hh>

#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>
#include <miniss/timer/with_timeout.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("lowres_clock says when the turn began, and stands still within it", "[clocks]") {
    test_shard shard;
    shard.run([&shard] {
        const auto before = lowres_clock::now();
        CHECK(before.time_since_epoch() == engine().now().time_since_epoch());
        shard.world().clock().advance_to(shard.now() + 300us);
        CHECK(lowres_clock::now() == before);
        return sleep(1ms).then([before] { CHECK(lowres_clock::now() - before >= 1ms); });
    });
}

TEST_CASE("sleep() by lowres_clock counts from the beginning of the turn", "[clocks]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    const auto slept = shard.run([] {
        const auto start = lowres_clock::now();
        return sleep<lowres_clock>(10ms).then([start] { return lowres_clock::now() - start; });
    });
    CHECK(slept >= 10ms);
    CHECK(slept < 11ms);
}

TEST_CASE("timeout() and future::with_timeout() limit how long one waits", "[clocks]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    shard.run([] {
        return timeout(1ms, sleep(1h)).then_wrapped([](future<> ended) {
            CHECK_THROWS_AS(ended.get(), timed_out_error);
        });
    });
    const int value = shard.run([] { return sleep(1ms).then([] { return 7; }).with_timeout(1h); });
    CHECK(value == 7);
    CHECK_THROWS_AS(shard.run([] { return sleep(1h).with_timeout(1ms); }), timed_out_error);
}
