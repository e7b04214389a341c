// Many readers or one writer, in the order in which they came.
#include <miniss/core/rwlock.hh>

#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/loop.hh>
#include <miniss/core/shared_mutex.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("readers share an rwlock, writers have it alone", "[rwlock]") {
    test_shard shard(GENERATE(range(0U, 50U)));
    rwlock lock;
    int readers = 0;
    int writers = 0;
    int most_readers = 0;
    std::vector<int> jobs{0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0};
    shard.run([&] {
        return parallel_for_each(jobs, [&](int writes) {
            if (writes == 1) {
                return with_lock(lock.for_write(), [&] {
                    CHECK((++writers == 1 && readers == 0));
                    return sleep(1ms).then([&] { --writers; });
                });
            }
            return with_lock(lock.for_read(), [&] {
                CHECK(writers == 0);
                most_readers = std::max(most_readers, ++readers);
                return sleep(1ms).then([&] { --readers; });
            });
        });
    });
    CHECK(most_readers == 4);
    CHECK(!lock.locked());
}

TEST_CASE("a reader who comes after a waiting writer waits behind him", "[rwlock]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    rwlock lock;
    CHECK(lock.try_read_lock());
    auto writer = lock.write_lock();
    auto reader = lock.read_lock();
    CHECK(!writer.available());
    CHECK(!reader.available());
    CHECK(!lock.try_read_lock());
    lock.read_unlock();
    CHECK(writer.available());
    CHECK(!reader.available());
    lock.write_unlock();
    CHECK(reader.available());
    lock.read_unlock();
}

TEST_CASE("a writer who gives up lets the readers behind him in", "[rwlock]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    rwlock lock;
    abort_source source;
    auto held = lock.hold_read_lock().get();
    auto timed = lock.write_lock(1s);
    auto aborted = lock.hold_write_lock(source);
    auto reader = lock.hold_read_lock();
    source.request_abort();
    shard.run_until_rest();
    CHECK_THROWS_AS(aborted.get(), semaphore_aborted);
    CHECK(!reader.available());
    shard.run([] { return sleep(2s); });
    CHECK_THROWS_AS(timed.get(), semaphore_timed_out);
    CHECK(reader.available());
    CHECK_THROWS_AS(shard.run([&] { return lock.write_lock(1s); }), timed_out_error);
}

TEST_CASE("try_write_lock() takes a free rwlock only, try_read_lock() one without writer",
          "[rwlock]") {
    test_shard shard;
    rwlock lock;
    CHECK(lock.try_write_lock());
    CHECK(lock.locked());
    CHECK(!lock.try_write_lock());
    CHECK(!lock.try_read_lock());
    lock.write_unlock();
    CHECK(lock.try_read_lock());
    CHECK(lock.try_read_lock());
    CHECK(!lock.try_write_lock());
    lock.read_unlock();
    CHECK(lock.locked());
    lock.read_unlock();
    CHECK(!lock.locked());
}

TEST_CASE("a holder unlocks when it dies", "[rwlock]") {
    test_shard shard;
    rwlock lock;
    {
        auto held = lock.hold_write_lock().get();
        CHECK(!lock.try_read_lock());
    }
    auto held = lock.hold_read_lock().get();
    held.return_all();
    CHECK(!lock.locked());
}

TEST_CASE("an rwlock must not die while it is locked, nor be unlocked when it is not", "[rwlock]") {
    test_shard shard;
    CHECK(dies_saying("rwlock_is_locked", [] {
        rwlock lock;
        (void)lock.try_read_lock();
        auto waiting = lock.write_lock();
    }));
    CHECK(dies_saying("core/rwlock.hh", [] { rwlock().read_unlock(); }));
    CHECK(dies_saying("core/rwlock.hh", [] { rwlock().write_unlock(); }));
}

TEST_CASE("an uncontended rwlock allocates nothing", "[rwlock][cost]") {
    test_shard shard;
    rwlock lock;
    const allocations_since start;
    lock.read_lock().get();
    lock.read_unlock();
    lock.write_lock(1s).get();
    lock.write_unlock();
    CHECK(start.count() == 0);
}

TEST_CASE("a shared_mutex is an rwlock", "[rwlock]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    shared_mutex mutex;
    std::string trace;
    shard.run([&] {
        auto first = with_shared(mutex, [&] {
            trace += '(';
            return sleep(2ms).then([&] { trace += ')'; });
        });
        auto second = with_lock(mutex, [&] {
            trace += '[';
            return sleep(1ms).then([&] { trace += ']'; });
        });
        auto third = with_shared(mutex, [&] { trace += 's'; });
        return when_all_succeed(std::move(first), std::move(second), std::move(third));
    });
    CHECK(trace == "()[]s");
    CHECK(mutex.try_lock());
    CHECK(!mutex.try_lock_shared());
    CHECK_THROWS_AS(shard.run([&] { return mutex.lock_shared(1ms); }), semaphore_timed_out);
    CHECK_THROWS_AS(shard.run([&] { return mutex.lock(1ms); }), semaphore_timed_out);
    mutex.unlock();
    CHECK(mutex.try_lock_shared());
    mutex.unlock_shared();
}

TEST_CASE("with_lock() unlocks on errors too, and does not call func without the lock",
          "[rwlock]") {
    test_shard shard;
    shared_mutex mutex;
    CHECK_THROWS_AS(with_lock(mutex, [] { throw std::logic_error("x"); }).get(), std::logic_error);
    CHECK_THROWS_AS(shard.run([&] {
        return with_lock(mutex, [] { return sleep(1s).then([] { throw std::logic_error("x"); }); });
    }),
                    std::logic_error);
    CHECK(mutex.try_lock());
    mutex.unlock();
    struct never_locked {
        future<> lock() { return make_exception_future<>(std::out_of_range("x")); }
        void unlock() { FAIL("was never locked"); }
    };
    CHECK_THROWS_AS(with_lock(never_locked(), [] { FAIL("not locked"); }).get(), std::out_of_range);
}

TEST_CASE("with_lock() keeps its callable at one address until its future is ready", "[rwlock]") {
    test_shard shard(GENERATE(range(0U, 10U)));
    shared_mutex mutex;
    std::string trace;
    CHECK(shard.run([&] {
        return with_lock(mutex, [&, note = destruction_note(trace, 'd')] {
            const auto* address = &note;
            return sleep(1s).then([&, address] {
                CHECK(trace.empty());
                CHECK(address == &note);
                return 5;
            });
        });
    }) == 5);
    CHECK(trace == "d");
}
