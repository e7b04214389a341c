// Condition variables: nobody sleeps through a signal.
#include <miniss/core/condition_variable.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("signal() lets one go, the one who has waited longest", "[condition_variable]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    condition_variable changed;
    auto a = changed.wait();
    auto b = changed.wait();
    auto c = changed.when();
    CHECK(changed.has_waiters());
    changed.signal();
    CHECK(a.available());
    CHECK(!b.available());
    changed.signal();
    CHECK(b.available());
    CHECK(!c.available());
    changed.signal();
    CHECK(c.available());
    CHECK(!changed.has_waiters());
}

TEST_CASE("a signal that nobody waits for is kept for the next one, once", "[condition_variable]") {
    test_shard shard;
    condition_variable changed;
    changed.signal();
    changed.signal();
    CHECK(changed.wait().available());
    auto second = changed.wait();
    CHECK(!second.available());
    changed.signal();
    CHECK(second.available());
}

TEST_CASE("broadcast() lets all go who wait, and is not kept", "[condition_variable]") {
    test_shard shard;
    condition_variable changed;
    auto a = changed.wait();
    auto b = changed.wait(1h);
    changed.broadcast();
    CHECK((a.available() && b.available()));
    changed.broadcast();
    auto c = changed.wait();
    CHECK(!c.available());
    changed.signal();
    c.get();
}

TEST_CASE("wait(condition) ends when the condition is true, and not before",
          "[condition_variable]") {
    test_shard shard(GENERATE(range(0U, 50U)));
    condition_variable changed;
    int count = 0;
    CHECK(changed.wait([] { return true; }).available());
    shard.run([&] {
        auto met =
            changed.wait([&count] { return count == 3; }).then([&count] { CHECK(count == 3); });
        auto counting = sleep(1ms)
                            .then([&] {
                                ++count;
                                changed.signal();
                                return sleep(1ms);
                            })
                            .then([&] {
                                count += 2;
                                changed.broadcast();
                            });
        return when_all_succeed(std::move(met), std::move(counting));
    });
}

TEST_CASE("waiting ends by time", "[condition_variable]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    condition_variable changed;
    shard.run([&] {
        const auto start = engine().backend().now();
        return changed.wait(10ms)
            .then_wrapped([&, start](future<> ended) {
                CHECK_THROWS_AS(ended.get(), condition_variable_timed_out);
                CHECK(engine().now() - start >= 10ms);
                return changed.wait(start + 20ms, [] { return false; });
            })
            .then_wrapped([start](future<> ended) {
                CHECK_THROWS_AS(ended.get(), timed_out_error);
                CHECK(engine().now() - start >= 20ms);
                CHECK(engine().now() - start < 21ms);
            });
    });
    CHECK(!changed.has_waiters());
}

TEST_CASE("signals do not prolong the time of wait(duration, condition)", "[condition_variable]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    condition_variable changed;
    shard.run([&] {
        const auto start = engine().backend().now();
        run_in_background("signals", do_until([start] { return engine().now() - start > 30ms; },
                                              [&changed] {
                                                  changed.signal();
                                                  return sleep(3ms);
                                              }));
        return changed.wait(10ms, [] { return false; }).then_wrapped([start](future<> ended) {
            CHECK_THROWS_AS(ended.get(), condition_variable_timed_out);
            CHECK(engine().now() - start < 12ms);
            return sleep(1s);
        });
    });
}

TEST_CASE("waiting ends by an abort, and does not begin after one", "[condition_variable]") {
    test_shard shard;
    condition_variable changed;
    abort_source source;
    abort_source reasoned;
    auto a = changed.wait(source);
    auto b = changed.wait(reasoned, [] { return false; });
    source.request_abort();
    reasoned.request_abort_ex(std::out_of_range("x"));
    shard.run_until_rest();
    CHECK_THROWS_AS(a.get(), abort_requested_exception);
    CHECK_THROWS_AS(b.get(), std::out_of_range);
    changed.signal();
    CHECK_THROWS_AS(changed.wait(source).get(), abort_requested_exception);
    CHECK_THROWS_AS(changed.wait(reasoned, [] { return true; }).get(), std::out_of_range);
    CHECK(changed.wait().available());
}

TEST_CASE("a broken condition fails who waits and who comes later", "[condition_variable]") {
    test_shard shard;
    condition_variable changed;
    auto a = changed.wait();
    auto b = changed.wait(1h, [] { return false; });
    SECTION("with its own error") {
        changed.broken();
        shard.run_until_rest();
        CHECK_THROWS_AS(a.get(), broken_condition_variable);
        CHECK_THROWS_AS(b.get(), broken_condition_variable);
        CHECK_THROWS_AS(changed.wait().get(), broken_condition_variable);
    }
    SECTION("with another") {
        changed.broken(std::make_exception_ptr(std::out_of_range("x")));
        shard.run_until_rest();
        CHECK_THROWS_AS(a.get(), std::out_of_range);
        CHECK_THROWS_AS(b.get(), std::out_of_range);
        CHECK_THROWS_AS(changed.wait(1s).get(), std::out_of_range);
    }
}

TEST_CASE("a condition variable that dies fails its waiters", "[condition_variable]") {
    test_shard shard;
    auto changed = std::make_unique<condition_variable>();
    auto a = changed->wait();
    auto b = changed->wait(1h);
    changed.reset();
    CHECK_THROWS_AS(a.get(), broken_condition_variable);
    CHECK_THROWS_AS(b.get(), broken_condition_variable);
}

TEST_CASE("a condition that throws fails the wait", "[condition_variable]") {
    test_shard shard;
    condition_variable changed;
    CHECK_THROWS_AS(changed.wait([]() -> bool { throw std::logic_error("x"); }).get(),
                    std::logic_error);
}

TEST_CASE("each waiter of a condition variable costs one allocation, a signal none",
          "[condition_variable][cost]") {
    test_shard shard;
    condition_variable changed;
    const allocations_since start;
    changed.signal();
    changed.wait().get();
    CHECK(start.count() == 0);
    auto waiting = changed.wait();
    CHECK(start.count() == 1);
    changed.signal();
    CHECK(start.count() == 1);
    waiting.get();
}
