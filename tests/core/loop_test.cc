// Loops: how far they go, how they stop, and that they let others run.
#include <miniss/core/loop.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/do_with.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Ready by the next turn or so, if `pending`.
future<> round_of(bool pending) { return pending ? sleep(1us) : make_ready_future<>(); }

}  // namespace

TEST_CASE("repeat() calls its action until it says yes", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    int rounds = 0;
    shard.run([&] {
        return repeat([&] {
            ++rounds;
            return round_of(pending).then(
                [&] { return rounds == 10 ? stop_iteration::yes : stop_iteration::no; });
        });
    });
    CHECK(rounds == 10);
}

TEST_CASE("the action of repeat() may return stop_iteration itself", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    int rounds = 0;
    shard.run([&] {
        return repeat([&] { return ++rounds == 10 ? stop_iteration::yes : stop_iteration::no; });
    });
    CHECK(rounds == 10);
}

TEST_CASE("a million ready rounds take constant stack and one allocation", "[loop][cost]") {
    test_shard shard(GENERATE(0u, 1u, 2u));
    std::optional<future<>> loop;
    stack_depth depth;
    int rounds = 0;
    shard.run([&] {
        const allocations_since start;
        loop = repeat([&] {
            depth.measure();
            return make_ready_future<stop_iteration>(++rounds == 1'000'000 ? stop_iteration::yes
                                                                           : stop_iteration::no);
        });
        CHECK(start.count() == 1);
    });
    const long live = live_allocation_count();
    shard.run([&] { return std::move(*loop); });
    CHECK(rounds == 1'000'000);
    CHECK(depth.range_bytes() < 8192);
    CHECK(live_allocation_count() <= live);
}

TEST_CASE("pending rounds cost the loop nothing but what the round itself allocates",
          "[loop][cost]") {
    test_shard shard;
    promise<stop_iteration> round;
    int rounds = 0;
    auto loop = repeat([&] {
        ++rounds;
        round = promise<stop_iteration>();
        return round.get_future();
    });
    shard.run_until_rest();
    shard_context& context = shard.shard().context;
    const allocations_since start;
    for (int i = 0; i < 100; ++i) {
        round.set_value(stop_iteration::no);
        context.loop->run_one_turn();
    }
    CHECK(start.count() == 0);
    CHECK(rounds >= 100);
    round.set_value(stop_iteration::yes);
    shard.run_until_rest();
    CHECK(loop.available());
}

TEST_CASE("loops end with the first error, thrown or returned, now or later", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    const bool throws = GENERATE(false, true);
    int rounds = 0;
    const auto action = [&]() -> future<> {
        if (++rounds < 3) {
            return round_of(pending);
        }
        if (throws) {
            throw std::out_of_range("x");
        }
        return round_of(pending).then([] { throw std::out_of_range("x"); });
    };
    SECTION("repeat") {
        CHECK_THROWS_AS(shard.run([&] {
            return repeat([&] { return action().then([] { return stop_iteration::no; }); });
        }),
                        std::out_of_range);
    }
    SECTION("do_until") {
        CHECK_THROWS_AS(shard.run([&] { return do_until([] { return false; }, action); }),
                        std::out_of_range);
    }
    SECTION("keep_doing") {
        CHECK_THROWS_AS(shard.run([&] { return keep_doing(action); }), std::out_of_range);
    }
    SECTION("do_for_each") {
        std::vector<int> range(5);
        CHECK_THROWS_AS(
            shard.run([&] { return do_for_each(range, [&](int&) { return action(); }); }),
            std::out_of_range);
    }
    CHECK(rounds == 3);
}

TEST_CASE("do_until() asks before every round", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    int rounds = 0;
    shard.run([&] {
        return do_until([&] { return rounds == 5; },
                        [&] {
                            ++rounds;
                            return round_of(pending);
                        });
    });
    CHECK(rounds == 5);
    shard.run([&] { return do_until([] { return true; }, [&] { ++rounds; }); });
    CHECK(rounds == 5);
}

TEST_CASE("a condition of do_until() that throws ends the loop", "[loop]") {
    test_shard shard;
    CHECK_THROWS_AS(
        shard.run([] { return do_until([]() -> bool { throw std::logic_error("x"); }, [] {}); }),
        std::logic_error);
}

TEST_CASE("do_for_each() goes through a range one after the other", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    std::vector<int> range{1, 2, 3};
    std::string trace;
    const auto action = [&](int& x) {
        trace += '(' + std::to_string(x);
        return round_of(pending).then([&] { trace += ')'; });
    };
    SECTION("a container") {
        shard.run([&] { return do_for_each(range, action); });
        CHECK(trace == "(1)(2)(3)");
    }
    SECTION("iterators") {
        shard.run([&] { return do_for_each(range.begin() + 1, range.end(), action); });
        CHECK(trace == "(2)(3)");
    }
    SECTION("nothing") {
        shard.run([&] { return do_for_each(range.end(), range.end(), action); });
        CHECK(trace.empty());
    }
}

TEST_CASE("a loop that is always ready lets others run when its slice is over", "[loop]") {
    test_shard shard(GENERATE(range(0u, 10u)));
    bool other_ran = false;
    promise<> start;
    auto other = start.get_future().then([&] { other_ran = true; });
    const auto begin = [&](auto make_loop) {
        shard.run([&] {
            start.set_value();
            return make_loop();
        });
    };
    SECTION("repeat") {
        begin([&] {
            return repeat([&] { return other_ran ? stop_iteration::yes : stop_iteration::no; });
        });
    }
    SECTION("do_until") {
        begin([&] { return do_until([&] { return other_ran; }, [] {}); });
    }
    SECTION("keep_doing") {
        begin([&] {
            return keep_doing([&] {
                       if (other_ran) {
                           throw std::runtime_error("enough");
                       }
                   })
                .handle_exception([](std::exception_ptr) {});
        });
    }
    CHECK(other_ran);
}

TEST_CASE("parallel_for_each() starts all rounds at once and waits for all of them", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::vector<int> range{3, 1, 2};
    std::string trace;
    const auto begin = shard.now();
    shard.run([&] {
        auto done = parallel_for_each(range, [&](int x) {
            trace += 's';
            return sleep(std::chrono::seconds(x)).then([&trace, x] { trace += std::to_string(x); });
        });
        CHECK(trace == "sss");
        CHECK(!done.available());
        return done;
    });
    CHECK(trace == "sss123");
    CHECK(shard.now() - begin == 3s);
}

TEST_CASE("parallel_for_each() waits for all even if some fail, and keeps the last error",
          "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::vector<int> range{3, 0, 4, 2, 1};
    int ended = 0;
    const auto action = [&](int x) -> future<> {
        if (x == 0) {
            ++ended;
            throw std::runtime_error("0");
        }
        return sleep(std::chrono::seconds(x)).then([&ended, x] {
            ++ended;
            if (x < 4) {
                throw std::runtime_error(std::to_string(x));
            }
        });
    };
    try {
        shard.run([&] { return parallel_for_each(range, action); });
        FAIL("it must fail");
    } catch (const std::runtime_error& error) {
        CHECK(std::string(error.what()) == "3");
    }
    CHECK(ended == 5);
}

TEST_CASE("parallel_for_each() over nothing, or over what is ready, is ready at once",
          "[loop][cost]") {
    test_shard shard;
    std::vector<int> range;
    CHECK(parallel_for_each(range, [](int) { return sleep(1h); }).available());
    range.resize(10);
    const allocations_since start;
    int sum = 0;
    CHECK(parallel_for_each(range, [&](int) { ++sum; }).available());
    CHECK(start.count() == 1);
    CHECK(sum == 10);
}

TEST_CASE("parallel_for_each() costs one allocation, and one for each pending round",
          "[loop][cost]") {
    test_shard shard;
    std::vector<promise<>> rounds(10);
    const allocations_since start;
    auto done = parallel_for_each(rounds, [](promise<>& round) { return round.get_future(); });
    CHECK(start.count() == 11);
    for (auto& round : rounds) {
        round.set_value();
    }
    shard.run_until_rest();
    CHECK(done.available());
}

TEST_CASE("parallel_for_each() does not preempt", "[loop]") {
    test_shard shard(GENERATE(range(0u, 10u)));
    std::vector<int> range(1000);
    shard.run([&] {
        int count = 0;
        auto done = parallel_for_each(range, [&](int) { ++count; });
        CHECK(count == 1000);
        CHECK(done.available());
        return done;
    });
}

TEST_CASE("a loop keeps its callable at one address until it ends, and no longer", "[loop]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    const void* address = nullptr;
    bool moved = false;
    int rounds = 0;
    const auto look_at = [&](const void* here) {
        moved |= address != nullptr && address != here;
        address = here;
    };
    SECTION("repeat") {
        shard.run([&] {
            return repeat([&, note = destruction_note(trace, 'd')] {
                look_at(&note);
                return sleep(1s).then(
                    [&] { return ++rounds == 5 ? stop_iteration::yes : stop_iteration::no; });
            });
        });
    }
    SECTION("do_until") {
        shard.run([&] {
            return do_until([&] { return rounds == 5; },
                            [&, note = destruction_note(trace, 'd')] {
                                look_at(&note);
                                ++rounds;
                                return sleep(1s);
                            });
        });
    }
    SECTION("parallel_for_each") {
        shard.run([&] {
            return do_with(std::vector<int>(5), [&](std::vector<int>& range) {
                return parallel_for_each(range, [&, note = destruction_note(trace, 'd')](int) {
                    look_at(&note);
                    return sleep(1s).then([&] {
                        CHECK(trace.empty());
                        ++rounds;
                    });
                });
            });
        });
    }
    CHECK(rounds == 5);
    CHECK(!moved);
    CHECK(trace == "d");
}

TEST_CASE("a loop whose round is never ready ends with the promise of that round", "[loop]") {
    test_shard shard;
    std::optional<promise<>> never(std::in_place);
    auto loop = keep_doing([&] { return never->get_future(); });
    shard.run_until_rest();
    CHECK(!loop.available());
    never.reset();
    shard.run_until_rest();
    CHECK_THROWS_AS(loop.get(), broken_promise);
}
