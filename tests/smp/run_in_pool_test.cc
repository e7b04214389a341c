// Calls that block, on threads of their own.
#include <miniss/smp/blocking_pool.hh>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/when_all.hh>
#include <miniss/smp/alien.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Threads wait here until it is opened.
class barrier {
    std::mutex _lock;
    std::condition_variable _opened;
    bool _open = false;

public:
    void wait() {
        std::unique_lock held(_lock);
        _opened.wait(held, [this] { return _open; });
    }
    void open() {
        const std::lock_guard held(_lock);
        _open = true;
        _opened.notify_all();
    }
};

future<> until(const std::atomic<int>& count, int wanted) {
    return do_until([&count, wanted] { return count >= wanted; }, [] { return sleep(100us); });
}

}  // namespace

TEST_CASE("run_in_pool() runs on another thread and brings the result home", "[pool]") {
    run(tested_shards(2), [] {
        return smp::invoke_on_all([] {
            const auto self = pthread_self();
            return run_in_pool([self] {
                       std::array<char, 16> name{};
                       pthread_getname_np(pthread_self(), name.data(), name.size());
                       const bool elsewhere = pthread_equal(self, pthread_self()) == 0;
                       return elsewhere && this_shard == nullptr ? std::string(name.data()) : "";
                   })
                .then([home = this_shard_id()](const std::string& name) {
                    if (this_shard_id() != home || name.rfind("miniss/pool-", 0) != 0) {
                        throw std::logic_error("ran on " + name);
                    }
                });
        });
    });
}

TEST_CASE("run_in_pool() brings errors home, and takes what only moves", "[pool]") {
    run(tested_shards(1), [] {
        return run_in_pool([] { throw std::runtime_error("blocked"); })
            .then_wrapped([](future<> ended) {
                CHECK_THROWS_WITH(ended.get(), "blocked");
                return run_in_pool(
                    [number = std::make_unique<int>(3)]() mutable { return std::move(number); });
            })
            .then([](const std::unique_ptr<int>& number) { CHECK(*number == 3); });
    });
}

TEST_CASE("threads of the pool may run on all CPUs of the program", "[pool]") {
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    run(tested_shards(2), [&before] {
        return run_in_pool([&before] {
                   cpu_set_t there;
                   sched_getaffinity(0, sizeof there, &there);
                   return CPU_EQUAL(&before, &there) != 0;
               })
            .then([](bool same) { CHECK(same); });
    });
}

TEST_CASE("threads of the pool take no signals", "[pool]") {
    run(tested_shards(1), [] {
        return run_in_pool([] {
                   sigset_t there;
                   pthread_sigmask(SIG_BLOCK, nullptr, &there);
                   return sigismember(&there, SIGTERM) == 1;
               })
            .then([](bool blocked) { CHECK(blocked); });
    });
}

TEST_CASE("no more calls run at a time than the pool may have threads", "[pool]") {
    barrier start;
    std::atomic<int> now_count{0};
    auto options = tested_shards(1);
    options.pool_thread_count = 2;
    int before = -1;
    run(options, [&] {
        std::vector<future<>> calls;
        for (int i = 0; i < 5; ++i) {
            calls.push_back(run_in_pool([&] {
                ++now_count;
                start.wait();
            }));
        }
        return until(now_count, 2)
            .then([] { return sleep(5ms); })
            .then([&, calls = std::move(calls)]() mutable {
                before = now_count;
                start.open();
                return when_all_succeed(calls.begin(), calls.end());
            });
    });
    CHECK(before == 2);
    CHECK(now_count == 5);
}

// Goal: the queue is bounded. Method: one thread that is stuck; shard 1 has its places left.
TEST_CASE("calls beyond a shard's places wait on it, and all are made", "[pool]") {
    constexpr int call_count = 3 * static_cast<int>(blocking_pool::places_per_shard);
    barrier start;
    std::atomic<int> done_count{0};
    auto options = tested_shards(2);
    options.pool_thread_count = 1;
    run(options, [&] {
        return smp::invoke_on_all([&] {
            std::vector<future<>> calls;
            for (int i = 0; i < call_count; ++i) {
                calls.push_back(run_in_pool([&] {
                    start.wait();
                    ++done_count;
                }));
            }
            start.open();
            return when_all_succeed(calls.begin(), calls.end());
        });
    });
    CHECK(done_count == 2 * call_count);
}

TEST_CASE("shards that stop wait for calls that block, and refuse those not begun", "[pool]") {
    barrier start;
    std::atomic<int> begun_count{0};
    int done_count = 0;
    int refused_count = 0;
    auto options = tested_shards(2);
    options.pool_thread_count = 1;
    const auto count_end = [&](future<> ended) {
        try {
            ended.get();
            ++done_count;
        } catch (const shard_stopped&) {
            ++refused_count;
        }
        start.open();  // For the one that runs: when the others are refused, main has ended.
    };
    run(options, [&] {
        for (int i = 0; i < 200; ++i) {  // More than there are places.
            (void)run_in_pool([&] {
                ++begun_count;
                start.wait();
            }).then_wrapped(count_end);
        }
        return until(begun_count, 1);
    });
    CHECK(done_count == 1);
    CHECK(refused_count == 199);
    CHECK(begun_count == 1);
}

TEST_CASE("a call that blocks may call shards, also while they stop", "[pool]") {
    const int seed = GENERATE(range(0, 10));
    std::atomic<int> answered_count{0};
    run(tested_shards(2), [&, seed] {
        for (unsigned i = 0; i < 20; ++i) {
            (void)run_in_pool([&answered_count, i] {
                try {
                    alien::submit_to(i % 2, [] { return sleep(50us); }).get();
                } catch (const alien::not_running&) {
                } catch (const sleep_aborted&) {}
                ++answered_count;
            }).handle_exception([&answered_count](const std::exception_ptr&) { ++answered_count; });
        }
        return sleep(seed * 50us);
    });
    CHECK(answered_count == 20);
}
