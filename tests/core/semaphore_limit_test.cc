// Waiting for a semaphore with a limit: who gives up must not stop those behind him.
#include <miniss/core/semaphore.hh>

#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/loop.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("wait() with a limit takes units that are there, whatever the limit", "[semaphore]") {
    test_shard shard;
    semaphore units(3);
    abort_source source;
    source.request_abort();
    const allocations_since start;
    CHECK(units.wait(0s).available());
    CHECK(units.wait(steady_clock::time_point::min()).available());
    CHECK(units.wait(source).available());
    CHECK(units.available_units() == 0);
    CHECK(start.count() == 0);
}

TEST_CASE("wait() gives up when its time is over, not before", "[semaphore]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    semaphore units(1);
    const bool as_moment = GENERATE(false, true);
    shard.run([&] {
        const auto start = engine().backend().now();
        auto waiting = as_moment ? units.wait(start + 10ms, 2) : units.wait(10ms, 2);
        CHECK(units.waiters() == 1);
        return waiting.then_wrapped([&units, start](future<> ended) {
            CHECK_THROWS_AS(ended.get(), semaphore_timed_out);
            CHECK(engine().now() - start >= 10ms);
            CHECK(engine().now() - start < 11ms);
            CHECK(units.waiters() == 0);
            CHECK(units.available_units() == 1);
        });
    });
}

TEST_CASE("semaphore_timed_out is a timed_out_error, semaphore_aborted an abort", "[semaphore]") {
    CHECK(std::is_base_of_v<timed_out_error, semaphore_timed_out>);
    CHECK(std::is_base_of_v<abort_requested_exception, semaphore_aborted>);
}

TEST_CASE("who gets his units in time never times out", "[semaphore]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    semaphore units(0);
    abort_source source;
    shard.run([&] {
        auto timed = units.wait(1s);
        auto abortable = units.wait(source);
        units.signal(2);
        CHECK(timed.available());
        CHECK(abortable.available());
        timed.get();
        abortable.get();
        source.request_abort();
        return sleep(1h);
    });
    CHECK(units.available_units() == 0);
}

TEST_CASE("when one in front gives up, those behind who fit go at once, in order", "[semaphore]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    semaphore units(3);
    const bool by_time = GENERATE(false, true);
    abort_source source;
    shard.run([&] {
        auto large = by_time ? units.wait(1s, 5) : units.wait(source, 5);
        auto second = units.wait(2);
        auto third = units.wait(1);
        auto fourth = units.wait(1);
        CHECK(!second.available());
        if (!by_time) {
            source.request_abort();
        }
        return large.then_wrapped([&, by_time, second = std::move(second), third = std::move(third),
                                   fourth = std::move(fourth)](future<> ended) mutable {
            if (by_time) {
                CHECK_THROWS_AS(ended.get(), semaphore_timed_out);
            } else {
                CHECK_THROWS_AS(ended.get(), semaphore_aborted);
            }
            CHECK(second.available());
            CHECK(third.available());
            CHECK(!fourth.available());
            CHECK(units.available_units() == 0);
            units.signal();
            CHECK(fourth.available());
        });
    });
}

TEST_CASE("one who gives up in the middle leaves the order of the others alone", "[semaphore]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    semaphore units(0);
    std::string order;
    abort_source source;
    shard.run([&] {
        const auto note = [&order](char letter) {
            return [&order, letter](future<> ended) {
                order += ended.failed() ? '-' : letter;
                ended.ignore_ready_future();
            };
        };
        auto a = units.wait().then_wrapped(note('a'));
        auto b = units.wait(source).then_wrapped(note('b'));
        auto c = units.wait(1h).then_wrapped(note('c'));
        source.request_abort();
        CHECK(units.waiters() == 2);
        units.signal();
        return when_all(std::move(a), std::move(b))
            .then([&units, c = std::move(c)](auto&&) mutable {
                units.signal();
                return std::move(c);
            });
    });
    CHECK(order.size() == 3);
    CHECK(order.find('a') < order.find('c'));
    CHECK(order.find('-') < order.find('c'));
}

TEST_CASE("an abort names its reason, or semaphore_aborted, also when it came before",
          "[semaphore]") {
    test_shard shard;
    semaphore units(0);
    abort_source plain;
    abort_source reasoned;
    auto a = units.wait(plain);
    auto b = units.wait(reasoned);
    plain.request_abort();
    reasoned.request_abort_ex(std::out_of_range("x"));
    CHECK_THROWS_AS(a.get(), semaphore_aborted);
    CHECK_THROWS_AS(b.get(), std::out_of_range);
    CHECK_THROWS_AS(units.wait(plain).get(), semaphore_aborted);
    CHECK_THROWS_AS(units.wait(reasoned).get(), std::out_of_range);
    CHECK(units.waiters() == 0);
}

TEST_CASE("get_units() and with_semaphore() take limits too", "[semaphore]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    semaphore units(1);
    abort_source source;
    source.request_abort();
    CHECK_THROWS_AS(get_units(units, 2, source).get(), semaphore_aborted);
    CHECK(with_semaphore(units, 1, 1s, [] { return 3; }).get() == 3);
    bool ran = false;
    shard.run([&] {
        return with_semaphore(units, 2, 1s, [&ran] { ran = true; })
            .then_wrapped([&](future<> ended) {
                CHECK_THROWS_AS(ended.get(), semaphore_timed_out);
                CHECK(!ran);
                return get_units(units, 2, engine().now() + 1s);
            })
            .then_wrapped([](future<semaphore_units> ended) {
                CHECK_THROWS_AS(ended.get(), semaphore_timed_out);
            });
    });
    CHECK(units.available_units() == 1);
}

TEST_CASE("the limit of with_semaphore() does not count for the work", "[semaphore]") {
    test_shard shard;
    semaphore units(1);
    CHECK(shard.run([&] {
        return with_semaphore(units, 1, 1ms, [] { return sleep(1h).then([] { return 4; }); });
    }) == 4);
}

TEST_CASE("a limit too far for the clock never comes", "[semaphore]") {
    test_shard shard;
    semaphore units(0);
    auto a = units.wait(std::chrono::hours::max());
    auto b = units.wait(steady_clock::time_point::max());
    auto c = units.wait(steady_clock::duration::max());
    shard.run([] { return sleep(24h * 365 * 100); });
    CHECK(units.waiters() == 3);
    units.signal(3);
    CHECK((a.available() && b.available() && c.available()));
}

TEST_CASE("a limit in the past ends the wait with the next turn", "[semaphore]") {
    test_shard shard;
    semaphore units(0);
    auto a = units.wait(-1h);
    auto b = units.wait(steady_clock::time_point::min());
    auto c = units.wait(std::chrono::hours::min());
    shard.run_until_rest();
    CHECK_THROWS_AS(a.get(), semaphore_timed_out);
    CHECK_THROWS_AS(b.get(), semaphore_timed_out);
    CHECK_THROWS_AS(c.get(), semaphore_timed_out);
}

TEST_CASE("a shard that stops ends the waits that have a time limit", "[semaphore]") {
    semaphore units(0);
    std::string trace;
    {
        test_shard shard;
        shard.run([&] {
            run_in_background("timed",
                              units.wait(1h).handle_exception_type([&](const semaphore_timed_out&) {
                                  trace += 'a';
                                  return units.wait(1h).handle_exception_type(
                                      [&](const semaphore_timed_out&) { trace += 'b'; });
                              }));
        });
    }
    CHECK(trace == "ab");
}

TEST_CASE("broken() and the semaphore's death reach waiters with a limit", "[semaphore]") {
    test_shard shard;
    abort_source source;
    auto units = std::make_unique<semaphore>(0);
    auto a = units->wait(1h);
    units->broken();
    CHECK_THROWS_AS(a.get(), broken_semaphore);
    CHECK_THROWS_AS(units->wait(1h).get(), broken_semaphore);
    units = std::make_unique<semaphore>(0);
    auto b = units->wait(1h);
    auto c = units->wait(source);
    units.reset();
    CHECK_THROWS_AS(b.get(), broken_semaphore);
    CHECK_THROWS_AS(c.get(), broken_semaphore);
    source.request_abort();
}

TEST_CASE("waiting with a limit costs one allocation", "[semaphore][cost]") {
    test_shard shard;
    semaphore units(0);
    abort_source source;
    const allocations_since start;
    auto timed = units.wait(1h);
    CHECK(start.count() == 1);
    auto abortable = units.wait(source);
    CHECK(start.count() == 2);
    units.signal(2);
    CHECK(start.count() == 2);
    CHECK((timed.available() && abortable.available()));
}

TEST_CASE("units can be tried for, taken on credit, split, joined and given back in part",
          "[semaphore]") {
    test_shard shard;
    semaphore units(5);
    auto held = try_get_units(units, 4);
    REQUIRE(held);
    CHECK(!try_get_units(units, 2));
    auto half = held->split(2);
    CHECK((half.count() == 2 && held->count() == 2));
    CHECK(half.return_units(1) == 1);
    CHECK(units.current() == 2);
    held->adopt(std::move(half));
    CHECK((held->count() == 3 && half.count() == 0));
    CHECK(!half);
    CHECK(*held);
    {
        auto debt = consume_units(units, 10);
        CHECK(units.available_units() == -8);
    }
    held.reset();
    CHECK(units.available_units() == 5);
}

TEST_CASE("whoever waits under chance limits gets his units or his error, and none is lost",
          "[semaphore]") {
    const auto seed = GENERATE(range(1U, 101U));
    test_shard shard(seed);
    semaphore units(4);
    std::vector<unsigned> jobs(40);
    unsigned ended = 0;
    shard.run([&] {
        return parallel_for_each(jobs, [&](unsigned&) {
            auto& random = shard.world().random();
            const auto patience = std::chrono::milliseconds(random.draw() % 20);
            const auto work = std::chrono::milliseconds(random.draw() % 10);
            return with_semaphore(units, 1 + random.draw() % 4, patience,
                                  [work] { return sleep(work); })
                .handle_exception_type([](const semaphore_timed_out&) {})
                .then([&ended] { ++ended; });
        });
    });
    CHECK(ended == jobs.size());
    CHECK(units.available_units() == 4);
    CHECK(units.waiters() == 0);
}
