// What becomes of those who get no memory: where a header promises std::bad_alloc it comes as a
// failed future, and nothing is lost or left behind.
#include <exception>
#include <memory>
#include <new>
#include <vector>

#include <miniss/core/condition_variable.hh>
#include <miniss/core/coroutine.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/queue.hh>
#include <miniss/core/rwlock.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/core/yield.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/sim/sim_random.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Whether call() gives a future that failed with std::bad_alloc when it gets no memory at all.
template <typename Call>
bool fails_without_memory(Call call) {
    auto result = [&call] {
        const failing_allocation none(0);
        auto attempt = call();
        CHECK(none.has_failed());
        return attempt;
    }();
    REQUIRE(result.failed());
    try {
        result.get();
    } catch (const std::bad_alloc&) {
        return true;
    }
    return false;
}

future<int> coroutine_of(promise<int>& source) { co_return co_await source.get_future(); }

}  // namespace

TEST_CASE("who cannot queue for lack of memory fails, and takes nothing away from others",
          "[allocation]") {
    test_shard shard;
    const long live_before = live_allocation_count();
    {
        semaphore units(0);
        CHECK(fails_without_memory([&] { return units.wait(); }));
        CHECK(fails_without_memory([&] { return units.wait(1s); }));
        CHECK(units.waiters() == 0);
        auto next = units.wait();
        units.signal();
        next.get();

        condition_variable changed;
        CHECK(fails_without_memory([&] { return changed.wait(); }));
        CHECK(!changed.has_waiters());

        queue<int> items(1);
        CHECK(fails_without_memory([&] { return items.not_empty(); }));
        CHECK(!items.has_blocked_consumer());
        CHECK(items.push(1));
        CHECK(fails_without_memory([&] { return items.not_full(); }));
        CHECK(items.pop() == 1);

        rwlock lock;
        REQUIRE(lock.try_write_lock());
        CHECK(fails_without_memory([&] { return lock.read_lock(); }));
        CHECK(fails_without_memory([&] { return lock.write_lock(); }));
        lock.write_unlock();
        lock.write_lock().get();
        lock.write_unlock();
    }
    CHECK(live_allocation_count() == live_before);
}

TEST_CASE("a queue that gets no memory for an item fails the push and stays as it was",
          "[allocation]") {
    test_shard shard;
    queue<std::unique_ptr<int>> items(10'000);
    std::size_t pushed = 0;
    for (bool failed = false; !failed; ++pushed) {
        auto item = std::make_unique<int>(1);
        const failing_allocation none(0);
        auto result = items.push_eventually(std::move(item));
        failed = result.failed();
        if (failed) {
            CHECK_THROWS_AS(result.get(), std::bad_alloc);
            CHECK(items.size() == pushed);
        } else {
            result.get();
        }
    }
    while (!items.empty()) {
        CHECK(*items.pop() == 1);
    }
}

TEST_CASE("a coroutine without memory for its frame gives a failed future", "[allocation]") {
    test_shard shard;
    promise<int> source;
    CHECK(fails_without_memory([&source] { return coroutine_of(source); }));
    auto result = coroutine_of(source);
    source.set_value(1);
    shard.run_until_rest();
    CHECK(result.get() == 1);
}

// Goal: failures in the middle of a busy semaphore. Method: workers that take, hold and give back
// units; some waits fail, drawn by the seed. All units must be there in the end, and no memory.
TEST_CASE("no unit is lost where waits fail for lack of memory by chance", "[allocation]") {
    const auto seed = GENERATE(range(1U, 31U));
    const long live_before = live_allocation_count();
    {
        test_shard shard(seed);
        sim::sim_random chance(seed);
        semaphore units(3);
        int failed_count = 0;
        int served_count = 0;
        const auto work = [&](int) -> future<> {
            auto taken = [&] {
                if (chance.coin()) {
                    const failing_allocation none(0);
                    return units.wait(2);
                }
                return units.wait(2);
            }();
            return taken.then_wrapped([&](future<> ended) {
                if (ended.failed()) {
                    CHECK_THROWS_AS(std::rethrow_exception(ended.get_exception()), std::bad_alloc);
                    ++failed_count;
                    return make_ready_future<>();
                }
                ended.get();
                ++served_count;
                return yield().finally([&units] { units.signal(2); });
            });
        };
        std::vector<int> workers(20);
        shard.run([&] { return parallel_for_each(workers, work); });
        CHECK(failed_count + served_count == 20);
        CHECK(failed_count > 0);
        CHECK(units.available_units() == 3);
    }
    CHECK(live_allocation_count() == live_before);
}
