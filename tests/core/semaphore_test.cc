// Semaphores: first come, first served, and nobody waits for ever.
#include <miniss/core/semaphore.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/loop.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("wait() takes units that are there at once, all of them too", "[semaphore]") {
    test_shard shard;
    semaphore units(3);
    CHECK(units.wait().available());
    CHECK(units.wait(2).available());
    CHECK(units.available_units() == 0);
    CHECK(units.wait(0).available());
    auto more = units.wait();
    CHECK(!more.available());
    CHECK(units.waiters() == 1);
    units.signal();
    CHECK(more.available());
    CHECK(units.available_units() == 0);
}

TEST_CASE("a small request queues behind a large one, even if there are units for it",
          "[semaphore]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    semaphore units(1);
    auto large = units.wait(2);
    auto small = units.wait(1);
    CHECK(!large.available());
    CHECK(!small.available());
    CHECK(!units.try_wait(1));
    CHECK(!units.wait(0).available());
    units.signal(1);
    CHECK(large.available());
    CHECK(!small.available());
    units.signal(1);
    CHECK(small.available());
}

TEST_CASE("signal() wakes as many as its units suffice for, in order", "[semaphore]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    semaphore units(0);
    auto a = units.wait(1);
    auto b = units.wait(2);
    auto c = units.wait(3);
    units.signal(4);
    CHECK(a.available());
    CHECK(b.available());
    CHECK(!c.available());
    CHECK(units.current() == 1);
    CHECK(units.waiters() == 1);
    units.signal(2);
    CHECK(c.available());
    CHECK(units.current() == 0);
}

TEST_CASE("waiters get their turn in the order in which they came", "[semaphore]") {
    test_shard shard(GENERATE(range(0u, 50u)));
    semaphore units(1);
    std::string order;
    std::vector<char> letters{'a', 'b', 'c', 'd', 'e'};
    shard.run([&] {
        return parallel_for_each(letters, [&](char letter) {
            return with_semaphore(units, 1, [&order, letter] {
                order += letter;
                return sleep(1s).then([&order, letter] { order += letter; });
            });
        });
    });
    CHECK(order == "aabbccddee");
}

TEST_CASE("with_semaphore() never lets more in than there are units", "[semaphore]") {
    test_shard shard(GENERATE(range(0u, 50u)));
    semaphore units(3);
    std::vector<int> jobs(20);
    int inside = 0;
    int most = 0;
    shard.run([&] {
        return parallel_for_each(jobs, [&](int) {
            return with_semaphore(units, 1, [&] {
                most = std::max(most, ++inside);
                return sleep(1ms).then([&] { --inside; });
            });
        });
    });
    CHECK(most == 3);
    CHECK(units.available_units() == 3);
}

TEST_CASE("with_semaphore() puts the units back on errors too", "[semaphore]") {
    test_shard shard;
    semaphore units(2);
    CHECK_THROWS_AS(shard.run([&] {
        return with_semaphore(units, 2, []() -> future<> { throw std::logic_error("x"); });
    }),
                    std::logic_error);
    CHECK_THROWS_AS(shard.run([&] {
        return with_semaphore(units, 2,
                              [] { return sleep(1s).then([] { throw std::logic_error("x"); }); });
    }),
                    std::logic_error);
    CHECK(units.available_units() == 2);
}

TEST_CASE("with_semaphore() keeps its callable at one address until its future is ready",
          "[semaphore]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool waits = GENERATE(false, true);
    semaphore units(waits ? 0 : 1);
    std::string trace;
    shard.run([&] {
        auto done = with_semaphore(units, 1, [&, note = destruction_note(trace, 'd')] {
            const auto* address = &note;
            return sleep(1s).then([&, address] {
                CHECK(trace.empty());
                CHECK(address == &note);
                return 5;
            });
        });
        units.signal(waits ? 1 : 0);
        return done;
    });
    CHECK(trace == "d");
}

TEST_CASE("try_wait() takes units only if that needs no waiting", "[semaphore]") {
    test_shard shard;
    semaphore units(2);
    CHECK(units.try_wait(2));
    CHECK(!units.try_wait());
    CHECK(units.try_wait(0));
    units.signal();
    CHECK(units.try_wait());
}

TEST_CASE("consume() may leave a debt, which signal() pays first", "[semaphore]") {
    test_shard shard;
    semaphore units(1);
    units.consume(3);
    CHECK(units.available_units() == -2);
    CHECK(units.current() == 0);
    auto waiting = units.wait();
    units.signal(2);
    CHECK(!waiting.available());
    units.signal();
    CHECK(waiting.available());
}

TEST_CASE("a broken semaphore fails those who wait and all who come later", "[semaphore]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    semaphore units(1);
    auto waiting = units.wait(2);
    auto behind = units.wait(1);
    SECTION("with its own error") {
        units.broken();
        CHECK_THROWS_AS(waiting.get(), broken_semaphore);
        CHECK_THROWS_AS(behind.get(), broken_semaphore);
        CHECK_THROWS_AS(units.wait().get(), broken_semaphore);
        CHECK_THROWS_AS(get_units(units, 1).get(), broken_semaphore);
    }
    SECTION("with another") {
        units.broken(std::make_exception_ptr(std::out_of_range("x")));
        CHECK_THROWS_AS(waiting.get(), std::out_of_range);
        CHECK_THROWS_AS(behind.get(), std::out_of_range);
        CHECK_THROWS_AS(units.wait().get(), std::out_of_range);
        bool ran = false;
        CHECK_THROWS_AS(with_semaphore(units, 1, [&] { ran = true; }).get(), std::out_of_range);
        CHECK(!ran);
    }
    CHECK(units.waiters() == 0);
}

TEST_CASE("signal() after broken() does nothing", "[semaphore]") {
    test_shard shard;
    semaphore units(5);
    auto taken = get_units(units, 2).get();
    units.broken();
    CHECK(units.available_units() == 0);
    units.signal(3);
    taken.return_all();
    CHECK(units.available_units() == 0);
    CHECK(!units.try_wait());
    CHECK_THROWS_AS(units.wait().get(), broken_semaphore);
}

TEST_CASE("a semaphore moves, with its units, unless somebody waits", "[semaphore]") {
    test_shard shard;
    semaphore first(3);
    semaphore second(std::move(first));
    CHECK(first.available_units() == 0);
    CHECK(second.available_units() == 3);
    semaphore third(0);
    third = std::move(second);
    CHECK(third.try_wait(3));
    third.broken();
    semaphore fourth(std::move(third));
    CHECK_THROWS_AS(fourth.wait().get(), broken_semaphore);
    third.signal();
    CHECK(third.try_wait());
    CHECK(dies_saying("empty()", [] {
        semaphore awaited(0);
        (void)awaited.wait();
        const semaphore moved(std::move(awaited));
    }));
}

TEST_CASE("a semaphore that dies fails its waiters", "[semaphore]") {
    test_shard shard;
    auto units = std::make_unique<semaphore>(0);
    auto waiting = units->wait();
    auto chained = units->wait().then([] { return 1; });
    units.reset();
    shard.run_until_rest();
    CHECK_THROWS_AS(waiting.get(), broken_semaphore);
    CHECK_THROWS_AS(chained.get(), broken_semaphore);
}

TEST_CASE("semaphore_units go back by themselves, once", "[semaphore]") {
    test_shard shard;
    semaphore units(5);
    {
        auto taken = get_units(units, 3).get();
        CHECK(taken.count() == 3);
        CHECK(units.current() == 2);
        auto moved = std::move(taken);
        semaphore_units assigned;
        assigned = std::move(moved);
        CHECK(units.current() == 2);
        assigned = get_units(units, 1).get();
        CHECK(units.current() == 4);
    }
    CHECK(units.current() == 5);
    auto taken = get_units(units, 2).get();
    taken.return_all();
    taken.return_all();
    CHECK(units.current() == 5);
    CHECK(get_units(units, 2).get().release() == 2);
    CHECK(units.current() == 3);
}

TEST_CASE("waiting costs one allocation, and not waiting none", "[semaphore][cost]") {
    test_shard shard;
    semaphore units(2);
    const allocations_since start;
    { auto taken = get_units(units, 2).get(); }
    units.wait().get();
    units.signal();
    CHECK(start.count() == 0);
    units.consume(2);
    auto waiting = units.wait();
    CHECK(start.count() == 1);
    units.signal(1);
    CHECK(waiting.available());
    CHECK(start.count() == 1);
}
