// How shards end: at any moment, with anything under way, and what is said when they cannot.
#include <miniss/smp/runtime.hh>

#include <atomic>
#include <thread>

#include <miniss/core/loop.hh>
#include <miniss/smp/blocking_pool.hh>
#include <miniss/smp/smp.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/smp/sim_shards.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

runtime_options impatient(unsigned shard_count) {
    auto options = tested_shards(shard_count);
    options.stop_deadline = 20ms;
    return options;
}

// Goes on for ever, whatever happens.
future<> run_on_and_on() {
    return keep_doing([] { return make_ready_future<>(); });
}

// Ends main once the flag is set: what a test is about has begun on the other shard.
future<> until_set(const std::atomic<bool>& flag) {
    return do_until([&flag] { return flag.load(); }, [] { return sleep(100us); });
}

// Calls that call back, again and again until one fails; counts them while they have not ended.
void play_ping_pong(std::atomic<int>& open_count, int round) {
    ++open_count;
    (void)smp::submit_to(1 - this_shard_id(), [round] {
        return smp::submit_to(1 - this_shard_id(), [round] {
            return round % 7 == 0 ? sleep(10us) : make_ready_future<>();
        });
    }).then_wrapped([&open_count, round](future<> ended) {
        --open_count;
        if (ended.failed()) {
            ended.ignore_ready_future();
        } else if (round != 0) {
            play_ping_pong(open_count, round - 1);
        }
    });
}

}  // namespace

TEST_CASE("main may end before it has done anything", "[shutdown]") {
    const unsigned count = GENERATE(1U, 2U, 5U);
    for (int i = 0; i < 50; ++i) {
        run(tested_shards(count), [] {});
    }
}

TEST_CASE("a thousand runtimes leave nothing behind", "[shutdown]") {
    const auto start_one = [](unsigned count) {
        return run(tested_shards(count), [] { return make_ready_future<int>(1); });
    };
    start_one(2);
    const long before = live_allocation_count();
    const std::size_t descriptors_before = descriptor_count();
    int sum = 0;
    for (unsigned i = 0; i < 1000; ++i) {
        sum += start_one(i % 100 == 0 ? 2 : 1);
    }
    CHECK(sum == 1000);
    CHECK(live_allocation_count() == before);
    CHECK(descriptor_count() == descriptors_before);
}

TEST_CASE("shards end under load, with calls in flight both ways", "[shutdown]") {
    const int seed = GENERATE(range(0, 20));
    std::atomic<int> open_count{0};
    run(tested_shards(2), [&open_count, seed] {
        return smp::invoke_on_all([&open_count] {
                   for (int i = 0; i < 200; ++i) {
                       play_ping_pong(open_count, 5000);
                   }
               })
            .then([seed] { return sleep(seed * 30us); });
    });
    CHECK(open_count == 0);
}

// Goal: no point at which a stop is wrong. Method: a simulated program that is ended after so many
// steps, with calls, answers, sleeps and waiting letters in all states.
TEST_CASE("shards may end at every point of what they do", "[shutdown]") {
    const int step_count = GENERATE(range(0, 400, 3));
    CAPTURE(step_count);
    constexpr unsigned shard_count = 16;
    int open_count = 0;
    {
        sim_shards shards(shard_count, static_cast<std::uint64_t>(step_count + 1));
        for (unsigned id = 0; id < shard_count; ++id) {
            shards.on(id, [&open_count, id] {
                for (unsigned i = 0; i < 40; ++i) {
                    ++open_count;
                    (void)smp::submit_to((id + i) % shard_count, [i, id] {
                        return smp::submit_to((id + 7 * i) % shard_count, [i] {
                            return i % 3 == 0   ? sleep(1ms)
                                   : i % 7 == 0 ? promise<>().get_future()
                                                : make_ready_future<>();
                        });
                    }).then_wrapped([&open_count](future<> ended) {
                        --open_count;
                        ended.ignore_ready_future();
                    });
                }
            });
        }
        for (int i = 0; i < step_count; ++i) {
            shards.world().step();
        }
    }
    CHECK(open_count == 0);
}

TEST_CASE("a shard that never comes to an end is named, with who waits for it", "[shutdown]") {
    CHECK(
        dies_saying("not all shards have stopped 0.02 s after main has ended:\n"
                    "miniss: shard 0 has stopped, waits for 1 answers of shard 1\n"
                    "miniss: shard 1 has not run out of work, waits for its own answers to 1 calls",
                    [] {
                        run(impatient(2), [] {
                            static std::atomic<bool> begun{false};
                            (void)smp::submit_to(1, [] {
                                begun = true;
                                return run_on_and_on();
                            });
                            return until_set(begun);
                        });
                    }));
}

TEST_CASE("a shard that is stuck in a task is named", "[shutdown]") {
    CHECK(dies_saying("miniss: shard 1 runs a task that does not end", [] {
        run(impatient(2), [] {
            static std::atomic<bool> begun{false};
            (void)smp::submit_to(1, [] {
                begun = true;
                std::this_thread::sleep_for(1h);
            });
            return until_set(begun);
        });
    }));
}

TEST_CASE("an only shard that never comes to an end says so", "[shutdown]") {
    CHECK(dies_saying("miniss: shard 0 has not run out of work",
                      [] { run(impatient(1), [] { (void)run_on_and_on(); }); }));
}

TEST_CASE("calls in the pool that do not return are named", "[shutdown]") {
    CHECK(dies_saying("miniss: shard 1 has not run out of work, waits for 1 calls that block", [] {
        run(impatient(2), [] {
            static std::atomic<bool> begun{false};
            (void)smp::submit_to(1, [] {
                return run_in_pool([] {
                    begun = true;
                    std::this_thread::sleep_for(1h);
                });
            });
            return until_set(begun);
        });
    }));
}
