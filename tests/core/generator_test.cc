// Generators: coroutines that give many values.
#include <miniss/core/coroutine/generator.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <miniss/core/coroutine/exception.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// 0, 1, ... end - 1; every third one has to be waited for.
coroutine::generator<int> numbers(int end, std::string& trace) {
    const destruction_note local(trace, 'd');
    for (int i = 0; i < end; ++i) {
        if (i % 3 == 2) {
            co_await sleep(1us);
        }
        co_yield i;
    }
}

coroutine::generator<int> fails_after_one(bool throws) {
    co_yield 1;
    if (throws) {
        throw std::runtime_error("thrown");
    }
    co_await coroutine::return_exception(std::runtime_error("returned"));
    co_yield 2;
}

future<int> sum_of(coroutine::generator<int> values) {
    int sum = 0;
    while (auto value = co_await values()) {
        sum += *value;
    }
    CHECK(!co_await values());  // It stays at its end.
    co_return sum;
}

}  // namespace

TEST_CASE("a generator gives each value, and then nothing", "[generator]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    CHECK(shard.run([&] { return sum_of(numbers(10, trace)); }) == 45);
    CHECK(trace == "d");
    CHECK(shard.run([&] { return sum_of(numbers(0, trace)); }) == 0);
}

TEST_CASE("a generator does nothing before it is asked", "[generator]") {
    test_shard shard;
    std::string trace;
    { const auto unused = numbers(3, trace); }
    CHECK(trace.empty());
}

TEST_CASE("a generator that is given up destroys the locals of its function", "[generator]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    const auto first = [](std::string& local_trace) -> future<int> {
        auto values = numbers(10, local_trace);
        co_return (co_await values()).value() + (co_await values()).value();
    };
    CHECK(shard.run([&] { return first(trace); }) == 1);
    CHECK(trace == "d");
}

TEST_CASE("a million ready values take constant stack and no allocation", "[generator][cost]") {
    test_shard shard(GENERATE(0u, 1u));
    struct endless {
        static coroutine::generator<int> make() {
            for (;;) {
                co_yield 1;
            }
        }
        static future<int> take(stack_depth& depth) {
            auto values = make();
            const allocations_since start;
            int sum = 0;
            while (sum < 1'000'000) {
                depth.measure();
                sum += (co_await values()).value();
            }
            CHECK(start.count() < 10);  // The simulated world allocates too.
            co_return sum;
        }
    };
    stack_depth depth;
    shard.run([&] { return endless::take(depth).discard_result(); });
    CHECK(depth.range_bytes() < 4096);
}

TEST_CASE("an error of a generator comes once, and then nothing", "[generator]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool throws = GENERATE(false, true);
    const auto take = [](bool by_throw) -> future<std::string> {
        auto values = fails_after_one(by_throw);
        std::string trace = std::to_string((co_await values()).value());
        try {
            co_await values();
        } catch (const std::runtime_error& error) {
            trace += error.what();
        }
        trace += co_await values() ? "more" : "end";
        co_return trace;
    };
    CHECK(shard.run([&] { return take(throws); }) == (throws ? "1thrownend" : "1returnedend"));
}

TEST_CASE("a generator may give what can only be moved", "[generator]") {
    test_shard shard;
    struct maker {
        static coroutine::generator<std::unique_ptr<int>> make() {
            co_yield std::make_unique<int>(4);
        }
        static future<int> take() {
            auto values = make();
            auto value = co_await values();
            co_return *value.value();
        }
    };
    CHECK(shard.run([] { return maker::take(); }) == 4);
}

TEST_CASE("a generator must not be destroyed while it makes a value", "[generator]") {
    CHECK(dies_saying("is_running", [] {
        test_shard shard;
        std::optional<coroutine::generator<int>> values;
        promise<> never;
        values = [](future<> wait) -> coroutine::generator<int> {
            co_await std::move(wait);
            co_yield 1;
        }(never.get_future());
        auto value = (*values)();
        values.reset();
    }));
}
