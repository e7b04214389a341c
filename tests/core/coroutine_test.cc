// Coroutines: how they wait, what they pass on, and that waiting costs them nothing.
#include <miniss/core/coroutine.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <miniss/core/coroutine/as_future.hh>
#include <miniss/core/coroutine/exception.hh>
#include <miniss/core/coroutine/maybe_yield.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

future<int> add_one(future<int> number) { co_return co_await std::move(number) + 1; }

future<> wait_for(future<> awaited, std::string& trace) {
    const destruction_note local(trace, 'd');
    trace += 'a';
    co_await std::move(awaited);
    trace += 'b';
}

future<int> later(int value) {
    return sleep(1us).then([value] { return value; });
}

future<> throws_at_once() {
    throw std::runtime_error("at once");
    co_return;
}

future<> throws_later() {
    co_await sleep(1us);
    throw std::runtime_error("later");
}

// A coroutine that goes round often; a seed makes it yield in between.
future<int> count_ready(int rounds, stack_depth& depth) {
    int sum = 0;
    for (int i = 0; i < rounds; ++i) {
        depth.measure();
        sum += co_await make_ready_future<int>(1);
    }
    co_return sum;
}

}  // namespace

TEST_CASE("a coroutine waits for any future and gives a value", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    CHECK(shard.run([] { return add_one(make_ready_future<int>(1)); }) == 2);
    CHECK(shard.run([] { return add_one(later(2)); }) == 3);
    CHECK(shard.run([] { return add_one(add_one(add_one(later(2)))); }) == 5);
}

TEST_CASE("a coroutine may give what can only be moved, and wait for it", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    struct maker {
        static future<std::unique_ptr<int>> make(int value) {
            co_await sleep(1us);
            co_return std::make_unique<int>(value);
        }
        static future<int> use() {
            const auto made = co_await make(7);
            co_return *made;
        }
    };
    CHECK(shard.run([] { return maker::use(); }) == 7);
}

TEST_CASE("a coroutine begins when it is called, and its locals die before its waiters run",
          "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    promise<> source;
    auto done = wait_for(source.get_future(), trace);
    CHECK(trace == "a");
    auto after = done.then([&trace] { trace += 'c'; });
    source.set_value();
    CHECK(trace == "a");
    shard.run([&] { return std::move(after); });
    CHECK(trace == "abdc");
}

TEST_CASE("a coroutine that need not wait is ready when the call returns", "[coroutine]") {
    test_shard shard;
    std::string trace;
    shard.run([&trace] {
        auto done = wait_for(make_ready_future<>(), trace);
        CHECK(done.available());
        CHECK(trace == "abd");
        return done;
    });
}

TEST_CASE("an exception leaves a coroutine as the failure of its future", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    auto failed = throws_at_once();
    CHECK(failed.failed());
    failed.ignore_ready_future();
    CHECK_THROWS_AS(shard.run(throws_at_once), std::runtime_error);
    CHECK_THROWS_AS(shard.run(throws_later), std::runtime_error);
}

TEST_CASE("co_await throws the error of the future inside the coroutine", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto caught = [](future<> awaited) -> future<std::string> {
        try {
            co_await std::move(awaited);
        } catch (const std::exception& error) {
            co_return error.what();
        }
        co_return "nothing";
    };
    CHECK(shard.run([&] { return caught(throws_later()); }) == "later");
    CHECK(shard.run([&] { return caught(throws_at_once()); }) == "at once");
    CHECK(shard.run([&] { return caught(sleep(1us)); }) == "nothing");
}

TEST_CASE("a coroutine gets broken_promise when its promise dies", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    std::optional<promise<>> source(std::in_place);
    auto done = wait_for(source->get_future(), trace);
    source.reset();
    CHECK_THROWS_AS(shard.run([&] { return std::move(done); }), broken_promise);
    CHECK(trace == "ad");
}

TEST_CASE("a coroutine whose future was dropped goes on, and its failure is reported",
          "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    promise<> source;
    { const auto dropped = wait_for(source.get_future(), trace); }
    source.set_value();
    shard.run_until_rest();
    CHECK(trace == "abd");

    const expect_ignored_failures expected(1);
    { const auto dropped = throws_later(); }
    shard.run([] { return sleep(1ms); });
}

TEST_CASE("a promise may move while a coroutine waits for it", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    promise<> source;
    auto done = wait_for(source.get_future(), trace);
    promise<> moved(std::move(source));
    moved.set_value();
    shard.run([&] { return std::move(done); });
    CHECK(trace == "abd");
}

TEST_CASE("a future that is forwarded reaches the coroutine that waits for the target",
          "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    promise<int> target;
    auto done = add_one(target.get_future());
    later(4).forward_to(std::move(target));
    CHECK(shard.run([&] { return std::move(done); }) == 5);
}

TEST_CASE("a million ready futures take constant stack, and one allocation: the frame",
          "[coroutine][cost]") {
    test_shard shard(GENERATE(0u, 1u, 2u));
    stack_depth depth;
    std::optional<future<int>> counting;
    shard.run([&] {
        const allocations_since start;
        counting = count_ready(1'000'000, depth);
        CHECK(start.count() == 1);
    });
    CHECK(shard.run([&] { return std::move(*counting); }) == 1'000'000);
    CHECK(depth.range_bytes() < 4096);
}

TEST_CASE("co_await on a pending future allocates nothing", "[coroutine][cost]") {
    test_shard shard;
    promise<int> source;
    auto number = source.get_future();
    const allocations_since start;
    auto done = add_one(std::move(number));
    source.set_value(1);
    shard.run_until_rest();
    CHECK(start.count() == 1);  // The frame.
    CHECK(done.get() == 2);
}

TEST_CASE("co_await on ready futures lets others run when the slice is over", "[coroutine]") {
    test_shard shard(GENERATE(range(1u, 20u)));
    bool others_ran = false;
    bool seen = false;
    shard.run([&] {
        (void)sleep(0us).then([&others_ran] { others_ran = true; });
        const auto look = [](bool& ran, bool& saw) -> future<> {
            for (int i = 0; i < 1000; ++i) {
                co_await make_ready_future<>();
            }
            saw = ran;
        };
        return look(others_ran, seen);
    });
    CHECK(seen);
}

TEST_CASE("without_preemption_check() goes on at once whenever the future is ready",
          "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto often = []() -> future<> {
        for (int i = 0; i < 1000; ++i) {
            co_await without_preemption_check(make_ready_future<>());
        }
    };
    auto done = often();
    CHECK(done.available());
    done.get();
    CHECK(shard.run([]() -> future<int> {
        return [](future<int> number) -> future<int> {
            co_return co_await without_preemption_check(std::move(number));
        }(later(3));
    }) == 3);
}

TEST_CASE("as_future() gives the ready future itself, and throws nothing", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto look = [](future<int> awaited) -> future<std::string> {
        auto ready = co_await coroutine::as_future(std::move(awaited));
        if (ready.failed()) {
            ready.ignore_ready_future();
            co_return "failed";
        }
        co_return std::to_string(ready.get());
    };
    CHECK(shard.run([&] { return look(later(5)); }) == "5");
    CHECK(shard.run([&] { return look(throws_later().then([] { return 1; })); }) == "failed");
    CHECK(shard.run([&] { return look(make_ready_future<int>(6)); }) == "6");
}

TEST_CASE("maybe_yield() lets others run when the slice is over", "[coroutine]") {
    test_shard shard(GENERATE(range(1u, 20u)));
    const auto pair = [](std::string& trace, char letter) -> future<> {
        for (int i = 0; i < 50; ++i) {
            trace += letter;
            co_await coroutine::maybe_yield();
        }
    };
    std::string trace;
    shard.run([&] {
        auto a = pair(trace, 'a');
        auto b = pair(trace, 'b');
        return a.then([b = std::move(b)]() mutable { return std::move(b); });
    });
    CHECK(trace.size() == 100);
    CHECK(trace.find("ba") != std::string::npos);  // They took turns.
}

TEST_CASE("an error ends a coroutine without a throw", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    const auto ends = [](bool wait, std::string& local_trace) -> future<int> {
        const destruction_note local(local_trace, 'd');
        if (wait) {
            co_await sleep(1us);
        }
        co_await coroutine::return_exception(std::runtime_error("returned"));
        local_trace += "never";
        co_return 1;
    };
    const bool wait = GENERATE(false, true);
    CHECK_THROWS_AS(shard.run([&] { return ends(wait, trace); }), std::runtime_error);
    CHECK(trace == "d");
    const auto ends_void = []() -> future<> {
        co_await coroutine::exception(std::make_exception_ptr(std::logic_error("void")));
    };
    CHECK_THROWS_AS(shard.run([&] { return ends_void(); }), std::logic_error);
}

TEST_CASE("everything in a frame is freed when the coroutine has ended", "[coroutine][cost]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    shard.run([] { return add_one(later(1)).discard_result(); });
    const long live = live_allocation_count();
    shard.run([] { return add_one(later(1)).discard_result(); });
    shard.run([] { return throws_later().handle_exception([](const std::exception_ptr&) {}); });
    CHECK(live_allocation_count() == live);
}
