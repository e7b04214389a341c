// run(): what it gives, how it starts and ends, and what it leaves behind.
#include <miniss/smp/runtime.hh>

#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <miniss/core/loop.hh>
#include <miniss/smp/smp.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::string thread_name() {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

cpu_set_t thread_cpus() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    return cpus;
}

}  // namespace

TEST_CASE("run() gives what main returns, or what its future gives", "[runtime]") {
    const unsigned count = GENERATE(1U, 2U);
    const auto options = tested_shards(count);
    CHECK(run(options, [] { return 3; }) == 3);
    CHECK(run(options, [] { return make_ready_future<int>(4); }) == 4);
    CHECK(run(options, [] { return sleep(1ms).then([] { return std::string("later"); }); }) ==
          "later");
    CHECK(*run(options, [] { return std::make_unique<int>(5); }) == 5);
    int calls = 0;
    run(options, [&calls] { ++calls; });
    run(options, [&calls] { return sleep(1ms).then([&calls] { ++calls; }); });
    CHECK(calls == 2);
}

TEST_CASE("run() throws what main throws, or what its future fails with", "[runtime]") {
    const unsigned count = GENERATE(1U, 2U);
    const auto options = tested_shards(count);
    CHECK_THROWS_WITH(run(options, []() -> int { throw std::runtime_error("at once"); }),
                      "at once");
    CHECK_THROWS_WITH(
        run(options,
            [] { return sleep(1ms).then([]() -> int { throw std::runtime_error("later"); }); }),
        "later");
    CHECK_THROWS_AS(run(options, [] { throw 7; }), int);
}

TEST_CASE("each shard has a thread with its name, and shard 0 the caller's", "[runtime]") {
    const std::string name_before = thread_name();
    const auto caller = std::this_thread::get_id();
    std::array<std::string, 3> names;
    run(tested_shards(3), [&] {
        CHECK(std::this_thread::get_id() == caller);
        return smp::invoke_on_all([&] { names[this_shard_id()] = thread_name(); });
    });
    CHECK(names == std::array<std::string, 3>{"miniss/0", "miniss/1", "miniss/2"});
    CHECK(thread_name() == name_before);
}

TEST_CASE("pinned shards run where they were placed, and the caller gets its CPUs back",
          "[runtime]") {
    const cpu_set_t before = thread_cpus();
    run(tested_shards(2), [] {
        return smp::invoke_on_all([] {
            const shard_placement place = this_runtime().placements[this_shard_id()];
            const cpu_set_t now = thread_cpus();
            if (!place.pinned || CPU_COUNT(&now) != 1 || !CPU_ISSET(place.cpu, &now)) {
                throw std::logic_error("not pinned");
            }
        });
    });
    const cpu_set_t after = thread_cpus();
    CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("shards that are not pinned leave their threads alone", "[runtime]") {
    const cpu_set_t before = thread_cpus();
    auto options = tested_shards(2);
    options.pin = false;
    run(options, [before] {
        return smp::invoke_on_all([before] {
            const cpu_set_t now = thread_cpus();
            if (!CPU_EQUAL(&before, &now)) {
                throw std::logic_error("pinned");
            }
        });
    });
}

TEST_CASE("main can ask what it runs on", "[runtime]") {
    const auto options = tested_shards(2);
    run(options, [&options] {
        const runtime_facts& facts = this_runtime();
        CHECK(facts.placements.size() == 2);
        CHECK(facts.backend != backend_kind::automatic);
        CHECK(facts.backend_name == engine().backend().name());
        if (options.backend != backend_kind::automatic) {
            CHECK(facts.backend == options.backend);
            CHECK(facts.why_not_io_uring.empty());
        }
    });
}

TEST_CASE("the other shards' threads take none of the process's signals", "[runtime]") {
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, nullptr, &before);
    run(tested_shards(2), [before] {
        sigset_t here;
        pthread_sigmask(SIG_BLOCK, nullptr, &here);
        CHECK(sigismember(&here, SIGTERM) == sigismember(&before, SIGTERM));
        return smp::submit_to(1,
                              [] {
                                  sigset_t there;
                                  pthread_sigmask(SIG_BLOCK, nullptr, &there);
                                  return sigismember(&there, SIGTERM) == 1 &&
                                         sigismember(&there, SIGSEGV) == 0;
                              })
            .then([](bool right) { CHECK(right); });
    });
}

TEST_CASE("runtimes can be started one after another, and leave nothing behind", "[runtime]") {
    const auto start_one = [](unsigned count) {
        run(tested_shards(count), [] { return smp::invoke_on_all([] {}); });
    };
    start_one(3);
    const long before = live_allocation_count();
    for (unsigned i = 0; i < 100; ++i) {
        start_one(1 + i % 3);
    }
    CHECK(live_allocation_count() == before);
    CHECK(this_shard == nullptr);
    CHECK(smp::count == 0);
}

TEST_CASE("run() refuses CPUs and numbers of shards that there cannot be", "[runtime]") {
    auto options = tested_shards(2);
    options.cpus = std::vector<unsigned>{65'000};
    CHECK_THROWS_WITH(run(options, [] { FAIL("main was called"); }),
                      Contains("CPU 65000 does not exist"));
    options = tested_shards(0);
    CHECK_THROWS_WITH(run(options, [] { FAIL("main was called"); }), Contains("0 shards"));
}

// Method: no thread can be started while each is to get a stack larger than any address space.
TEST_CASE("if a shard cannot start, none does, and run() says why", "[runtime]") {
    pthread_attr_t normal;
    pthread_attr_t huge;
    REQUIRE(pthread_getattr_default_np(&normal) == 0);
    REQUIRE(pthread_getattr_default_np(&huge) == 0);
    REQUIRE(pthread_attr_setstacksize(&huge, std::size_t(1) << 60) == 0);
    REQUIRE(pthread_setattr_default_np(&huge) == 0);
    const std::string name_before = thread_name();
    bool main_was_called = false;
    std::string error;
    try {
        run(tested_shards(3), [&] { main_was_called = true; });
    } catch (const std::runtime_error& thrown) {
        error = thrown.what();
    }
    REQUIRE(pthread_setattr_default_np(&normal) == 0);
    CHECK_THAT(error, Contains("cannot start shard 1: "));
    CHECK_FALSE(main_was_called);
    CHECK(thread_name() == name_before);
    CHECK(smp::count == 0);
    CHECK(run(tested_shards(3), [] { return 1; }) == 1);
}

TEST_CASE("calls that are in flight when main ends are answered or fail", "[runtime]") {
    const int seed = GENERATE(range(0, 20));
    std::atomic<int> ended_count{0};
    std::atomic<int> failed_count{0};
    run(tested_shards(3), [&, seed] {
        return smp::invoke_on_all([&] {
                   for (unsigned i = 0; i < 300; ++i) {
                       const unsigned to = i % smp::count;
                       (void)smp::submit_to(to, [i] {
                           return i % 5 == 0 ? sleep(1h) : make_ready_future<>();
                       }).then_wrapped([&](future<> ended) {
                           ++ended_count;
                           try {
                               ended.get();
                           } catch (const sleep_aborted&) {
                               ++failed_count;
                           }
                       });
                   }
               })
            .then([seed] { return sleep(seed * 20us); });
    });
    CHECK(ended_count == 900);
    CHECK(failed_count == 180);
}

TEST_CASE("a call that waits for what never comes fails when main ends", "[runtime]") {
    static promise<>& never = *new promise<>();  // It outlives all shards.
    std::string error;
    run(tested_shards(2), [&error] {
        (void)smp::submit_to(1, [] {
            return never.get_future();
        }).then_wrapped([&error](future<> ended) {
            try {
                ended.get();
            } catch (const shard_stopped& stopped) {
                error = stopped.what();
            }
            // What is left to be done may still call.
            return smp::submit_to(1, [] { return sleep(1h); })
                .handle_exception([&error](const std::exception_ptr&) { error += "!"; });
        });
    });
    CHECK(error == "the shard stopped before it answered!");
}

TEST_CASE("a flood that main does not wait for is dealt with before the shards end", "[runtime]") {
    std::atomic<int> count{0};
    run(tested_shards(2), [&count] {
        for (int i = 0; i < 5000; ++i) {
            (void)smp::submit_to(1, [&count] { (void)smp::submit_to(0, [&count] { ++count; }); });
        }
    });
    CHECK(count == 5000);
}

TEST_CASE("an error on another shard that nobody waits for is reported", "[runtime]") {
    const expect_ignored_failures one(1);
    captured_stderr printed;
    run(tested_shards(2), [] { (void)smp::submit_to(1, [] { (void)sleep(1h).then([] {}); }); });
    CHECK_THAT(printed.take(), Contains("sleep aborted"));
}
