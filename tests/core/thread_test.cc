// Fibers: what waits, what others do meanwhile, and what becomes of errors.
#include <miniss/core/thread.hh>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <miniss/core/deferred.hh>
#include <miniss/core/dump_tasks.hh>
#include <miniss/core/gate.hh>
#include <miniss/core/location_text.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/core/when_all.hh>
#include <miniss/core/yield.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Deep enough for a page or two.
int sum_up_to(int n) {  // NOLINT: recursion is what is tested.
    volatile char room[256] = {};
    return n == 0 ? room[0] : n + sum_up_to(n - 1);
}

// Whether a function that needs more than its fiber's stack ends the process, in one of its own.
bool overflows_stack() {
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(SIGSEGV, SIG_DFL);
        ::close(STDERR_FILENO);
        (void)async(thread_attributes{.stack_size = 64 * 1024}, [] { return sum_up_to(1500); });
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

}  // namespace

TEST_CASE("get() in a fiber waits, and others run meanwhile", "[thread]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    std::string trace;
    const int result = shard.run([&trace] {
        auto waiting = async([&trace] {
            trace += 'a';
            sleep(2s).get();
            trace += 'c';
            return 42;
        });
        return when_all_succeed(std::move(waiting), sleep(1s).then([&trace] { trace += 'b'; }))
            .then([](std::tuple<int> values) { return std::get<0>(values); });
    });
    CHECK(result == 42);
    CHECK(trace == "abc");
    CHECK(shard.now().time_since_epoch() >= 2s);
}

TEST_CASE("a fiber begins to run when it is made, and is ready if it never waits", "[thread]") {
    test_shard shard;
    bool ran = false;
    auto ended = async(
        [&ran](int x) {
            ran = true;
            return make_ready_future<int>(x + 1);
        },
        1);
    CHECK(ran);
    REQUIRE(ended.available());
    CHECK(ended.get() == 2);
}

TEST_CASE("the future of async() waits for the future that its function returned", "[thread]") {
    test_shard shard;
    promise<std::unique_ptr<int>> source;
    auto result = async([&source] { return source.get_future(); });
    CHECK(!result.available());
    source.set_value(std::make_unique<int>(3));
    REQUIRE(result.available());
    CHECK(*result.get() == 3);
}

TEST_CASE("what a fiber throws fails its future, and what failed throws in a fiber", "[thread]") {
    test_shard shard(GENERATE(range(0U, 10U)));
    shard.run([] {
        return async([] {
                   promise<int> source;
                   auto waits = source.get_future();
                   auto late = sleep(1ms).then(
                       [&source] { source.set_exception(std::runtime_error("late")); });
                   CHECK_THROWS_WITH(waits.get(), "late");
                   late.get();
                   throw std::logic_error("mine");
               })
            .handle_exception_type(
                [](const std::logic_error& error) { CHECK(std::string(error.what()) == "mine"); });
    });
}

TEST_CASE("a promise that dies breaks the wait of a fiber", "[thread]") {
    test_shard shard;
    auto source = std::make_unique<promise<>>();
    auto result = async([&source] { source->get_future().get(); });
    source.reset();
    shard.run_until_rest();
    CHECK_THROWS_AS(result.get(), broken_promise);
}

// Method: one fiber waits while it handles an exception; meanwhile others throw and catch.
TEST_CASE("a fiber may wait in a catch block, and throw the same exception again", "[thread]") {
    test_shard shard(GENERATE(range(0U, 10U)));
    const auto wait_while_handling = [](std::string text, std::chrono::milliseconds time) {
        return async([text = std::move(text), time] {
            try {
                throw std::runtime_error(text);
            } catch (const std::runtime_error&) {
                sleep(time).get();
                throw;
            }
        });
    };
    shard.run([&wait_while_handling] {
        auto slow = wait_while_handling("slow", 3ms);
        auto quick = wait_while_handling("quick", 2ms);
        CHECK(std::current_exception() == nullptr);
        CHECK(std::uncaught_exceptions() == 0);
        return when_all(std::move(slow), std::move(quick),
                        sleep(1ms).then([]() -> int { throw std::runtime_error("third"); }))
            .then([](auto all) {
                CHECK_THROWS_WITH(std::get<0>(all).get(), "slow");
                CHECK_THROWS_WITH(std::get<1>(all).get(), "quick");
                CHECK_THROWS_WITH(std::get<2>(all).get(), "third");
            });
    });
}

TEST_CASE("fibers can be made and waited for in fibers", "[thread]") {
    test_shard shard(GENERATE(range(0U, 10U)));
    CHECK(shard.run([] {
        return async([] {
            auto inner = async([] {
                sleep(1ms).get();
                return async([] {
                           sleep(1ms).get();
                           return 1;
                       }).get() +
                       1;
            });
            CHECK(thread::running_in_thread());
            sleep(500us).get();
            return inner.get() + 1;
        });
    }) == 3);
    CHECK(!thread::running_in_thread());
}

TEST_CASE("a thread is joined, and says what its function threw", "[thread]") {
    test_shard shard;
    shard.run([] {
        thread first([] { sleep(1ms).get(); });
        CHECK(first.joinable());
        thread second(thread_attributes{.stack_size = 64 * 1024}, [] {
            sleep(1ms).get();
            throw std::runtime_error("x");
        });
        thread moved(std::move(second));
        CHECK(!second.joinable());
        return when_all(first.join(), moved.join()).then([](auto both) {
            CHECK_NOTHROW(std::get<0>(both).get());
            CHECK_THROWS_WITH(std::get<1>(both).get(), "x");
        });
    });
    CHECK(dies_saying("joinable", [] {
        test_shard inner;
        const thread forgotten([] {});
    }));
}

TEST_CASE("yield() lets others run, and maybe_yield() does when the time slice is over",
          "[thread]") {
    test_shard shard(GENERATE(range(1U, 20U)));
    std::string trace;
    bool stop = false;
    int rounds = 0;
    shard.run([&] {
        auto yielding = async([&trace] {
            trace += '1';
            thread::yield();
            trace += '2';
        });
        CHECK(trace == "1");
        auto spinning = async([&] {
            while (!stop && rounds < 10'000) {
                ++rounds;
                thread::maybe_yield();
            }
        });
        return when_all_succeed(std::move(yielding), std::move(spinning),
                                yield().then([&stop] { stop = true; }));
    });
    CHECK(trace == "12");
    CHECK(rounds < 10'000);
}

TEST_CASE("get() of a pending future outside a fiber is a bug, and so is yield()", "[thread]") {
    test_shard shard;
    CHECK(dies_saying("runs_in_fiber", [] {
        promise<> source;
        source.get_future().get();
    }));
    CHECK(dies_saying("running_in_thread", [] { thread::yield(); }));
}

TEST_CASE("callbacks that a fiber's wait lets run are in no fiber", "[thread]") {
    test_shard shard(GENERATE(range(0U, 10U)));
    shard.run([] {
        return async([] {
            sleep(1ms).then([] { CHECK(!thread::running_in_thread()); }).get();
            CHECK(thread::running_in_thread());
        });
    });
}

TEST_CASE("the function of a fiber dies before its waiters learn of the end", "[thread]") {
    test_shard shard(GENERATE(range(0U, 10U)));
    std::string trace;
    shard.run([&trace] {
        return async(
                   [&trace, note = destruction_note(trace, 'f')](const destruction_note&) {
                       sleep(1ms).get();
                       trace += '1';
                   },
                   destruction_note(trace, 'a'))
            .then([&trace] { trace += '2'; });
    });
    const bool both_died_between = trace == "1af2" || trace == "1fa2";
    CHECK(both_died_between);
}

TEST_CASE("what is deferred happens at the end of the scope, unless it is cancelled", "[thread]") {
    std::string trace;
    {
        auto first = defer([&trace] { trace += 'a'; });
        auto moved = std::move(first);
        auto second = defer([&trace] { trace += 'b'; });
        second.cancel();
        trace += '1';
    }
    CHECK(trace == "1a");
}

TEST_CASE("deferred_close and deferred_stop wait for the end, also where something is thrown",
          "[thread]") {
    struct service {
        std::string& trace;
        future<> stop() {
            return sleep(1ms).then([this] { trace += 's'; });
        }
    };
    test_shard shard(GENERATE(range(0U, 10U)));
    std::string trace;
    shard.run([&trace] {
        return async([&trace] {
                   gate work;
                   service served{trace};
                   const deferred_stop stops(served);
                   const deferred_close closes(work);
                   auto inside = sleep(1ms).then([&trace, held = work.hold()] { trace += 'w'; });
                   run_in_background("work", std::move(inside));
                   throw std::runtime_error("x");
               })
            .handle_exception_type([&trace](const std::runtime_error&) { trace += 'x'; });
    });
    CHECK(trace == "wsx");
}

TEST_CASE("a shard keeps the stacks of its fibers for the next ones", "[thread][cost]") {
    test_shard shard;
    const auto& kept = shard.shard().context.stacks;
    std::vector<const void*> places;
    for (int i = 0; i < 3; ++i) {
        async([&places] {
            int here = 0;
            places.push_back(&here);
        }).get();
    }
    CHECK(places[0] == places[1]);
    CHECK(places[0] == places[2]);
    CHECK(kept.kept_count() == 1);
    std::array<promise<>, internal::stack_pool::kept_max + 2> sources;
    std::vector<future<>> ended;
    for (promise<>& source : sources) {
        ended.push_back(async([&source] { source.get_future().get(); }));
    }
    CHECK(kept.kept_count() == 0);
    for (promise<>& source : sources) {
        source.set_value();
    }
    shard.run_until_rest();
    CHECK(kept.kept_count() == internal::stack_pool::kept_max);
    for (future<>& each : ended) {
        each.get();
    }
}

TEST_CASE("a fiber has the stack that it was given, and cannot run over its end", "[thread]") {
    test_shard shard;
    const thread_attributes large{.stack_size = 1024 * 1024};
    CHECK(async(large, [] { return sum_up_to(1500); }).get() == 1500 * 1501 / 2);
    CHECK(overflows_stack());
    const thread_attributes none{.stack_size = std::size_t{1} << 62U};
    try {
        async(none, [] {}).get();
        FAIL("there is memory for everything");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ENOMEM);
    }
}

TEST_CASE("a thousand fibers can be under way", "[thread]") {
    test_shard shard(GENERATE(0U, 3U));
    int running = 0;
    semaphore go(0);
    std::vector<future<>> ended;
    shard.run([&] {
        for (int i = 0; i < 1000; ++i) {
            ended.push_back(async(thread_attributes{.stack_size = 32 * 1024}, [&running, &go] {
                ++running;
                go.wait().get();
                --running;
            }));
        }
        CHECK(running == 1000);
        go.signal(1000);
        return when_all_succeed(ended.begin(), ended.end());
    });
    CHECK(running == 0);
}

TEST_CASE("a fiber is told of at the line where it waits, and so is who waits for it",
          "[thread][dump]") {
    test_shard shard;
    const unsigned line = __LINE__ + 2;
    auto ended = async([] {
                     sleep(1h).get();
                     sleep(2h).wait();
                 }).then([] {}, code_location::named("end"));
    const auto waits_at = [](unsigned number) {
        const auto place = code_location::current(__FILE__, number);
        return "sleep <- " + std::string(internal::location_text(place).c_str()) + "\n";
    };
    const std::string first = describe_tasks(*this_shard);
    CHECK(first.find(waits_at(line)) != std::string::npos);
    CHECK(first.find("fiber <- end\n") != std::string::npos);
    shard.run([] { return sleep(90min); });
    CHECK(describe_tasks(*this_shard).find(waits_at(line + 1)) != std::string::npos);
    shard.run([&ended] { return std::move(ended); });
}
