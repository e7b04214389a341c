// Tasks, their handles, and work that is done again and again.
#include <miniss/smp/spawn.hh>

#include <stdexcept>
#include <vector>

#include <miniss/core/yield.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/smp/spawn_periodic.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

future<> sleep_long(abort_source& abort) { return sleep_abortable(1h, abort); }

}  // namespace

TEST_CASE("a task gives its value to who joins it", "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    const int value = shard.run([] {
        return do_with(spawn([] { return sleep(1ms).then([] { return 7; }); }), [](auto& task) {
            CHECK(task.outcome() == task_outcome::running);
            return task.join().then([&task](int given) {
                CHECK(task.outcome() == task_outcome::finished);
                return given;
            });
        });
    });
    CHECK(value == 7);
}

TEST_CASE("a task that fails says so, also after a cancel that it did not heed", "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    const bool cancel = GENERATE(false, true);
    shard.run([cancel] {
        auto task = spawn([] {
            return sleep(1ms).then([] { return make_exception_future<>(std::logic_error("no")); });
        });
        if (cancel) {
            task.cancel();
        }
        return do_with(std::move(task), [](auto& kept) {
            return kept.join().then_wrapped([&kept](future<> ended) {
                CHECK_THROWS_AS(ended.get(), std::logic_error);
                CHECK(kept.outcome() == task_outcome::failed);
            });
        });
    });
}

TEST_CASE("a cancelled task ends early and says that it was cancelled", "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    shard.run([] {
        return do_with(spawn(sleep_long), [](auto& task) {
            const auto start = engine().now();
            return sleep(1ms)
                .then([&task] {
                    task.cancel();
                    task.cancel();
                    return task.join();
                })
                .then_wrapped([&task, start](future<> ended) {
                    CHECK_THROWS_AS(ended.get(), abort_requested_exception);
                    CHECK(task.outcome() == task_outcome::cancelled);
                    CHECK(engine().now() - start < 1s);
                });
        });
    });
}

TEST_CASE("stop() cancels, waits for the end, and passes only the task's own errors on",
          "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    shard.run([] { return do_with(spawn(sleep_long), [](auto& task) { return task.stop(); }); });
    shard.run([] {
        return do_with(spawn([] { return sleep(1ms).then([] { return 1; }); }),
                       [](auto& task) { return task.stop(); });
    });
    CHECK_THROWS_AS(shard.run([] {
        auto fail = [](abort_source& abort) {
            return sleep_abortable(1h, abort).handle_exception([](const std::exception_ptr&) {
                return make_exception_future<>(std::logic_error("cannot clean up"));
            });
        };
        return do_with(spawn(fail), [](auto& task) { return task.stop(); });
    }),
                    std::logic_error);
}

TEST_CASE("what a task without a handle fails with is reported under its name", "[spawn]") {
    const bool drop_early = GENERATE(true, false);
    captured_stderr printed;
    const expect_ignored_failures one(1);
    test_shard shard;
    shard.run([drop_early] {
        auto task = task_builder().name("sweep").spawn([] {
            return sleep(1ms).then([] { return make_exception_future<>(std::logic_error("no")); });
        });
        auto kept = std::make_unique<join_handle<void>>(std::move(task));
        if (drop_early) {
            kept.reset();
        }
        return sleep(1s).then([kept = std::move(kept)] {});
    });
    CHECK(printed.take().find("miniss - failed in background: sweep: std::logic_error: no "
                              "(from ") != std::string::npos);
}

TEST_CASE("a task without a handle that is only aborted is not reported", "[spawn]") {
    const expect_ignored_failures none(0);
    test_shard shard;
    shard.run([] { (void)spawn([] { return sleep(1h); }); });
}

TEST_CASE("a task runs on the shard that its builder names, and is cancelled there", "[spawn]") {
    run(tested_shards(2), [] {
        auto there = task_builder().name("there").shard(1).spawn([] { return this_shard_id(); });
        auto sleeper = task_builder().name("sleeper").shard(1).spawn(sleep_long);
        CHECK(sleeper.name() == "sleeper");
        return do_with(std::move(there), std::move(sleeper), [](auto& first, auto& second) {
            return first.join().then([&second](unsigned shard) {
                CHECK(shard == 1);
                return second.stop().then(
                    [&second] { CHECK(second.outcome() == task_outcome::cancelled); });
            });
        });
    });
}

TEST_CASE("spawn_periodic() calls once a period until it is stopped", "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    int call_count = 0;
    shard.run([&call_count] {
        return do_with(spawn_periodic(10ms, [&call_count] { ++call_count; }), [](auto& task) {
            return sleep(105ms).then([&task] { return task.stop(); }).then([&task] {
                CHECK(task.outcome() == task_outcome::cancelled);
                return sleep(100ms);
            });
        });
    });
    CHECK(call_count == 10);
}

TEST_CASE("spawn_periodic() ends when its function says so, or fails", "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    int call_count = 0;
    shard.run([&call_count] {
        return spawn_periodic(10ms,
                              [&call_count] {
                                  return sleep(1ms).then([&call_count] {
                                      return ++call_count == 3 ? stop_iteration::yes
                                                               : stop_iteration::no;
                                  });
                              })
            .join();
    });
    CHECK(call_count == 3);
    CHECK_THROWS_AS(
        shard.run([] { return spawn_periodic(1ms, [] { throw std::logic_error("no"); }).join(); }),
        std::logic_error);
}

TEST_CASE("periodic calls do not overlap, and drop what was missed", "[spawn]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    std::vector<int> moments;
    shard.run([&moments] {
        const auto start = engine().now();
        return spawn_periodic(
                   10ms,
                   [&moments, start] {
                       moments.push_back(static_cast<int>((engine().now() - start) / 1ms));
                       return sleep(25ms).then([&moments] {
                           return moments.size() == 3 ? stop_iteration::yes : stop_iteration::no;
                       });
                   })
            .join();
    });
    CHECK(moments == std::vector<int>{10, 35, 60});
}

TEST_CASE("yield() lets everything that is ready go first", "[spawn]") {
    test_shard shard;
    std::string events;
    shard.run([&events] {
        auto other = yield().then([&events] { events += "other "; });
        return yield()
            .then([&events] { events += "late"; })
            .then([other = std::move(other)]() mutable { return std::move(other); });
    });
    CHECK(events == "other late");
}

TEST_CASE("maybe_yield() gives way once the time slice is over", "[spawn]") {
    test_shard shard;
    shard.run([] { CHECK(maybe_yield().available()); });
    int round_count = 0;
    bool other_ran = false;
    shard.run([&round_count, &other_ran] {
        auto other = yield().then([&other_ran] { other_ran = true; });
        return do_until([&other_ran] { return other_ran; },
                        [&round_count] {
                            ++round_count;
                            return maybe_yield();
                        })
            .then([other = std::move(other)]() mutable { return std::move(other); });
    });
    CHECK(round_count > 1);
}
