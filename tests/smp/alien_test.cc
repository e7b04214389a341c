// Calls to shards from threads that are no shards.
#include <miniss/smp/alien.hh>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <miniss/core/gate.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Runs shards, and func() on another thread meanwhile; main ends when func has.
template <typename Func>
void beside_shards(unsigned shard_count, Func func) {
    std::thread outsider;
    run(tested_shards(shard_count), [&] {
        return do_with(promise<>(), [&](promise<>& ended) {
            outsider = std::thread([&func, &ended] {
                func();
                alien::run_on(0, [&ended] { ended.set_value(); });
            });
            return ended.get_future();
        });
    });
    outsider.join();
}

}  // namespace

TEST_CASE("another thread gets the result of a call to a shard", "[alien]") {
    const unsigned shard_count = GENERATE(1U, 3U);
    beside_shards(shard_count, [shard_count] {
        const unsigned last = shard_count - 1;
        CHECK(alien::submit_to(last, [] { return this_shard_id(); }).get() == last);
        CHECK(alien::submit_to(last, [] {
                  return sleep(1ms).then([] { return std::string("later"); });
              }).get() == "later");
        alien::submit_to(last, [] {}).get();
        CHECK(*alien::submit_to(last, [number = std::make_unique<int>(4)]() mutable {
                   return std::move(number);
               }).get() == 4);
    });
}

TEST_CASE("another thread gets the error of a call to a shard", "[alien]") {
    beside_shards(2, [] {
        CHECK_THROWS_WITH(
            alien::submit_to(1, []() -> int { throw std::runtime_error("at once"); }).get(),
            "at once");
        CHECK_THROWS_WITH(
            alien::submit_to(
                1, [] { return sleep(1ms).then([] { throw std::runtime_error("later"); }); })
                .get(),
            "later");
    });
}

TEST_CASE("what fails without anybody waiting is reported", "[alien]") {
    const expect_ignored_failures two(2);
    captured_stderr printed;
    beside_shards(1, [] {
        alien::run_on(0, [] { throw std::runtime_error("alien, at once"); });
        alien::run_on(
            0, [] { return sleep(1ms).then([] { throw std::runtime_error("alien, later"); }); });
        alien::submit_to(0, [] { return sleep(5ms); }).get();
    });
}

TEST_CASE("calls of one thread to one shard begin in their order", "[alien]") {
    std::vector<int> begun;
    beside_shards(2, [&begun] {
        for (int i = 0; i < 1000; ++i) {
            alien::run_on(1, [&begun, i] { begun.push_back(i); });
        }
        alien::submit_to(1, [] {}).get();
    });
    REQUIRE(begun.size() == 1000);
    CHECK(std::is_sorted(begun.begin(), begun.end()));
}

TEST_CASE("without a runtime nobody takes calls", "[alien]") {
    CHECK_THROWS_AS(alien::submit_to(0, [] { return 1; }), alien::not_running);
    CHECK_THROWS_AS(alien::run_on(0, [] {}), alien::not_running);
    run(tested_shards(1), [] {});
    CHECK_THROWS_AS(alien::submit_to(0, [] { return 1; }), alien::not_running);
}

// Goal: each call is either taken, and then answered, or refused, at any moment of a runtime's
// life. Method: threads that never stop calling while runtimes come and go.
TEST_CASE("calls that come while shards start and stop are answered or refused", "[alien]") {
    std::atomic<bool> ended{false};
    std::atomic<int> ran_count{0};
    std::atomic<int> answered_count{0};
    std::atomic<int> refused_count{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            while (!ended) {
                try {
                    alien::submit_to(1, [&ran_count] { ++ran_count; }).get();
                    ++answered_count;
                } catch (const alien::not_running&) {
                    ++refused_count;
                    std::this_thread::yield();
                }
            }
        });
    }
    for (int i = 0; i < 60; ++i) {
        run(tested_shards(2), [i] { return sleep(i % 5 * 300us); });
    }
    ended = true;
    for (std::thread& each : callers) {
        each.join();
    }
    CHECK(ran_count == answered_count);
    CHECK(answered_count > 0);
    CHECK(refused_count > 0);
}

TEST_CASE("a call that can never be answered fails when the shards stop", "[alien]") {
    static promise<>& never = *new promise<>();  // It outlives all shards.
    std::future<void> answer;
    std::atomic<bool> sent{false};
    std::thread outsider;
    run(tested_shards(2), [&] {
        outsider = std::thread([&] {
            answer = alien::submit_to(1, [] { return never.get_future(); });
            sent = true;
        });
        return do_until([&] { return sent.load(); }, [] { return sleep(100us); });
    });
    outsider.join();
    CHECK_THROWS_AS(answer.get(), shard_stopped);
}

TEST_CASE("a shard may run something on another one as outsiders do", "[alien]") {
    unsigned ran_on = 99;
    run(tested_shards(2), [&] {
        alien::run_on(1, [&ran_on] { ran_on = this_shard_id(); });
        return sleep(1ms);
    });
    CHECK(ran_on == 1);
}
