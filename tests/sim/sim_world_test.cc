// The simulated world itself: its time, its order, and that it says so when nothing goes on.
#include <miniss/tests/sim/sim_world.hh>

#include <algorithm>
#include <set>
#include <string>

#include <miniss/core/loop.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Lets `count` rounds of a loop on each shard write the shard's letter into a common trace.
std::string interleaving(std::uint64_t seed, unsigned shard_count, int round_count) {
    sim::sim_world world(seed);
    std::string trace;
    std::size_t ended = 0;
    for (unsigned id = 0; id < shard_count; ++id) {
        sim::sim_shard& shard = world.add_shard();
        const sim::acting_as caller(shard.context);
        run_in_background("loop", sleep(1s).then([&, round_count] {
            return do_until([round_count]() mutable { return round_count-- == 0; },
                            [&] {
                                trace += static_cast<char>('a' + this_shard_id());
                                return sleep(0s);
                            })
                .then([&] { ++ended; });
        }));
    }
    world.run_until([&] { return ended == shard_count; });
    return trace;
}

}  // namespace

TEST_CASE("the same seed gives the same run, another seed another", "[sim]") {
    std::set<std::string> traces;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const std::string trace = interleaving(seed, 3, 5);
        CHECK(trace == interleaving(seed, 3, 5));
        CHECK(trace.size() == 15);
        traces.insert(trace);
    }
    CHECK(traces.size() > 15);
}

TEST_CASE("in the plain world the shards take turns", "[sim]") {
    CHECK(interleaving(0, 3, 4) == "abcabcabcabc");
}

TEST_CASE("time jumps to the earliest deadline of all shards, and stands still otherwise",
          "[sim]") {
    sim::sim_world world(GENERATE(range(0u, 20u)));
    sim::sim_shard& first = world.add_shard();
    sim::sim_shard& second = world.add_shard();
    const auto begin = world.now();
    std::string trace;
    const auto sleep_on = [&](sim::sim_shard& shard, std::chrono::hours delay, char letter) {
        const sim::acting_as caller(shard.context);
        run_in_background("sleeper", sleep(delay).then([&, delay, letter] {
            trace += letter;
            CHECK(world.now() - begin == delay);
            CHECK(engine().now() - begin == delay);
        }));
    };
    sleep_on(first, 3h, 'c');
    sleep_on(second, 2h, 'b');
    sleep_on(first, 1h, 'a');
    world.run_until_rest();
    CHECK(world.now() == begin);
    CHECK(trace.empty());
    world.run_until([&] { return trace.size() == 3; });
    CHECK(trace == "abc");
}

TEST_CASE("a day passes at once, and exactly", "[sim]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto elapsed = shard.run([] {
        const auto begin = engine().now();
        return sleep(24h).then([begin] { return engine().now() - begin; });
    });
    CHECK(elapsed == 24h);
}

TEST_CASE("the time of day goes with virtual time, from a leap day's last seconds", "[sim]") {
    test_shard shard;
    const auto begin = shard.shard().backend.time_of_day();
    CHECK(system_clock::to_time_t(begin) == 1'709'251'190);
    shard.run([] { return sleep(10s); });
    CHECK(shard.shard().backend.time_of_day() - begin == 10s);
}

TEST_CASE("waiting for what never comes is a deadlock, and says so", "[sim]") {
    promise<int> never;
    test_shard shard(7);
    try {
        shard.run([&] { return sleep(1s).then([&] { return never.get_future(); }); });
        FAIL("it must fail");
    } catch (const sim::deadlock& error) {
        const std::string text = error.what();
        CHECK(text.find("deadlock") == 0);
        CHECK(text.find("seed 7") != std::string::npos);
        CHECK(text.find("operations in flight: 0") != std::string::npos);
    }
    // The world goes on, and what was given up may still end.
    CHECK(shard.run([] { return sleep(1s).then([] { return 1; }); }) == 1);
    never.set_exception(std::runtime_error("late"));
}

TEST_CASE("a deadlock is noticed with operations in flight too", "[sim]") {
    struct silent final : io_completion {
        void complete(io_result&&) noexcept override {}
    } waiter;
    sim::sim_world world(1);
    sim::sim_shard& shard = world.add_shard();
    world.add_shard();
    const auto [reader, writer] = world.network().connected_pair();
    shard.backend.submit(receive_op{reader}, waiter);
    CHECK_THROWS_AS(world.run_until([] { return false; }), sim::deadlock);
    CHECK(world.describe().find("operations in flight: 1 0") != std::string::npos);
}

TEST_CASE("a shard that is never at rest is a livelock, and says so", "[sim]") {
    test_shard shard(GENERATE(0u, 1u));
    bool stop = false;
    CHECK_THROWS_AS(shard.run([&] {
        run_in_background("sleeper", sleep(1s).handle_exception_type([](sleep_aborted&) {}));
        return repeat([&] { return stop ? stop_iteration::yes : stop_iteration::no; });
    }),
                    sim::livelock);
    stop = true;
    shard.run_until_rest();
}

TEST_CASE("run_on() runs on the shard and gives its value or its error", "[sim]") {
    sim::sim_world world(GENERATE(range(0u, 20u)));
    world.add_shard();
    sim::sim_shard& second = world.add_shard();
    CHECK(world.run_on(second, [] { return this_shard_id(); }) == 1);
    CHECK(world.run_on(second, [] { return sleep(1s).then([] { return this_shard_id(); }); }) == 1);
    CHECK_NOTHROW(world.run_on(second, [] {}));
    CHECK_THROWS_AS(world.run_on(second, [] { throw std::out_of_range("x"); }), std::out_of_range);
}

TEST_CASE("what one shard does in its last turn before it rests reaches the others", "[sim]") {
    // A shard that finds something in a poll, which does not count as work, for another shard.
    sim::sim_world world(GENERATE(range(0u, 50u)));
    sim::sim_shard& first = world.add_shard();
    sim::sim_shard& second = world.add_shard();
    struct handing_over final : poller {
        bool has_mail = false;
        bool* flag_to_raise = nullptr;
        int polls_before = 3;
        bool poll() noexcept override {
            if (flag_to_raise != nullptr && --polls_before == 0) {
                *flag_to_raise = true;
            }
            return std::exchange(has_mail, false);
        }
        steady_clock::time_point next_deadline() noexcept override {
            return steady_clock::time_point::max();
        }
    } sender, receiver;
    sender.polls_before = 1;
    sender.flag_to_raise = &receiver.has_mail;
    first.loop.add_poller(sender);
    second.loop.add_poller(receiver);
    world.run_until_rest();
    CHECK(!receiver.has_mail);
    first.loop.remove_poller(sender);
    second.loop.remove_poller(receiver);
}

TEST_CASE("destroying a world stops its shards: sleepers and operations end", "[sim]") {
    std::string trace;
    struct noting final : io_completion {
        std::string* trace;
        void complete(io_result&& result) noexcept override {
            *trace += result.value == -ECANCELED ? 'c' : '?';
        }
    } waiter;
    waiter.trace = &trace;
    {
        sim::sim_world world(GENERATE(range(0u, 10u)));
        sim::sim_shard& shard = world.add_shard();
        const auto [reader, writer] = world.network().connected_pair();
        shard.backend.submit(receive_op{reader}, waiter);
        const sim::acting_as caller(shard.context);
        run_in_background("sleeper", sleep(1h).handle_exception_type(
                                         [&](const sleep_aborted&) { trace += 's'; }));
    }
    std::sort(trace.begin(), trace.end());
    CHECK(trace == "cs");
}

TEST_CASE("destroying a world in which something never ends says so", "[sim]") {
    CHECK(dies_saying("livelock", [] {
        test_shard shard;
        run_in_background("for ever", keep_doing([] {}));
    }));
}

TEST_CASE("a simulated shard may run by itself, with reactor::run()", "[sim]") {
    sim::sim_world world(GENERATE(range(0u, 10u)));
    sim::sim_shard& shard = world.add_shard();
    const auto begin = world.now();
    {
        const sim::acting_as caller(shard.context);
        run_in_background("main", sleep(1h).then([&] { shard.loop.stop(); }));
    }
    shard.loop.run();
    CHECK(world.now() - begin == 1h);
}

TEST_CASE("test_shard plays its shard also outside run()", "[sim]") {
    test_shard outer;
    CHECK(this_shard == &outer.shard().context);
    {
        test_shard inner(3);
        CHECK(this_shard == &inner.shard().context);
    }
    CHECK(this_shard == &outer.shard().context);
}
