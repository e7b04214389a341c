// Timers on the simulated and on the manual clock.
#include <miniss/timer/timer.hh>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("timers fire in the order of their expiry, and never early", "[timer]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    std::string order;
    shard.run([&] {
        const auto start = engine().now();
        auto note = [&order, start](char name, steady_clock::duration due) {
            return [&order, start, name, due] {
                order += name;
                CHECK(engine().now() - start >= due);
            };
        };
        auto timers = std::make_unique<std::vector<timer<>>>();
        timers->emplace_back(note('c', 30ms)).arm(30ms);
        timers->emplace_back(note('a', 10ms)).arm(10ms);
        timers->emplace_back(note('b', 20ms)).arm(20ms);
        return sleep(1s).then([timers = std::move(timers)] {});
    });
    CHECK(order == "abc");
}

TEST_CASE("cancel() is true only if it kept the callback from running", "[timer]") {
    test_shard shard;
    int fired_count = 0;
    shard.run([&] {
        auto t = std::make_unique<timer<>>([&fired_count] { ++fired_count; });
        CHECK_FALSE(t->cancel());
        t->arm(1ms);
        CHECK(t->armed());
        CHECK(t->cancel());
        CHECK_FALSE(t->armed());
        t->arm(1ms);
        return sleep(1s).then([t = std::move(t)] { CHECK_FALSE(t->cancel()); });
    });
    CHECK(fired_count == 1);
}

TEST_CASE("rearm() moves a timer, to an earlier moment or a later one", "[timer]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    std::string order;
    shard.run([&order] {
        auto sooner = std::make_unique<timer<>>([&order] { order += "sooner "; });
        auto fixed = std::make_unique<timer<>>([&order] { order += "fixed "; });
        auto later = std::make_unique<timer<>>([&order] { order += "later"; });
        sooner->arm(1h);
        fixed->arm(1s);
        later->arm(1ms);
        sooner->rearm(10ms);
        later->rearm(10s);
        return sleep(24h).then(
            [sooner = std::move(sooner), fixed = std::move(fixed), later = std::move(later)] {});
    });
    CHECK(order == "sooner fixed later");
}

TEST_CASE("a callback may arm its own timer again", "[timer]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    int fired_count = 0;
    shard.run([&fired_count] {
        auto again = std::make_unique<timer<lowres_clock>>();
        again->set_callback([&fired_count, self = again.get()] {
            CHECK_FALSE(self->armed());
            if (++fired_count < 5) {
                self->arm(1ms);
            }
        });
        again->arm(1ms);
        return sleep(1s).then([again = std::move(again)] { CHECK_FALSE(again->armed()); });
    });
    CHECK(fired_count == 5);
}

TEST_CASE("arming a timer that is armed is a bug", "[timer]") {
    CHECK(dies_saying("!armed()", [] {
        test_shard shard;
        shard.run([] {
            timer<> twice([] {});
            twice.arm(1ms);
            twice.arm(1ms);
        });
    }));
}

TEST_CASE("a callback may cancel a timer that is due at the same moment", "[timer]") {
    test_shard shard;
    bool second_fired = false;
    shard.run([&] {
        const auto moment = engine().now() + 1ms;
        auto second = std::make_unique<timer<>>([&second_fired] { second_fired = true; });
        auto first =
            std::make_unique<timer<>>([victim = second.get()] { CHECK(victim->cancel()); });
        first->arm(moment);
        second->arm(moment);
        return sleep(1s).then([first = std::move(first), second = std::move(second)] {});
    });
    CHECK_FALSE(second_fired);
}

TEST_CASE("a callback may destroy a timer that is due at the same moment", "[timer]") {
    test_shard shard;
    bool second_fired = false;
    shard.run([&] {
        const auto moment = engine().now() + 1ms;
        auto second = std::make_unique<std::optional<timer<>>>();
        second->emplace([&second_fired] { second_fired = true; });
        auto first = std::make_unique<timer<>>([victim = second.get()] { victim->reset(); });
        first->arm(moment);
        (*second)->arm(moment);
        return sleep(1s).then([first = std::move(first), second = std::move(second)] {});
    });
    CHECK_FALSE(second_fired);
}

TEST_CASE("a timer that is moved stays armed", "[timer]") {
    test_shard shard;
    int fired_count = 0;
    shard.run([&] {
        timer<> first([&fired_count] { ++fired_count; });
        first.arm(1ms);
        auto second = std::make_unique<timer<>>(std::move(first));
        CHECK(second->armed());
        return sleep(1s).then([second = std::move(second)] {});
    });
    CHECK(fired_count == 1);
}

TEST_CASE("a periodic timer goes on until it is cancelled, without drift", "[timer]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    std::vector<steady_clock::time_point> moments;
    steady_clock::time_point start;
    shard.run([&] {
        start = engine().backend().now();
        auto t = std::make_unique<timer<>>();
        t->set_callback([&moments, self = t.get()] {
            moments.push_back(self->get_timeout());
            if (moments.size() == 100) {
                CHECK(self->cancel());
            }
        });
        t->arm(start + 10ms, 10ms);
        return sleep(10s).then([t = std::move(t)] {});
    });
    REQUIRE(moments.size() == 100);
    CHECK(moments.back() - start == 1010ms);  // The next one was armed already.
}

TEST_CASE("a callback that throws is reported, and the others still fire", "[timer]") {
    test_shard shard;
    bool second_fired = false;
    const expect_ignored_failures one(1);
    shard.run([&] {
        auto first = std::make_unique<timer<>>([] { throw std::runtime_error("on purpose"); });
        auto second = std::make_unique<timer<>>([&second_fired] { second_fired = true; });
        first->arm(1ms);
        second->arm(2ms);
        return sleep(1s).then([first = std::move(first), second = std::move(second)] {});
    });
    CHECK(second_fired);
}

TEST_CASE("manual_clock stands still until it is advanced", "[timer]") {
    test_shard shard;
    bool fired = false;
    shard.run([&] {
        auto t = std::make_unique<timer<manual_clock>>([&fired] { fired = true; });
        t->arm(1h);
        return sleep(24h)
            .then([&fired] {
                CHECK_FALSE(fired);
                manual_clock::advance(59min);
                return sleep(1ms);
            })
            .then([&fired] {
                CHECK_FALSE(fired);
                manual_clock::advance(1min);
                return sleep(1ms);
            })
            .then([&fired, t = std::move(t)] { CHECK(fired); });
    });
}
