// Coroutines that wait for several things at once.
#include <miniss/core/coroutine/all.hh>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/coroutine/parallel_for_each.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

future<int> later(int value, std::chrono::microseconds delay = 1us) {
    return sleep(delay).then([value] { return value; });
}

future<int> fails_later(const char* text) {
    return sleep(1us).then([text]() -> int { throw std::runtime_error(text); });
}

template <typename Error>
std::string text_of(test_shard& shard, future<> (*body)()) {
    try {
        shard.run(body);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("all() gives the values of everything, without those of future<>", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const auto sum = []() -> future<int> {
        auto [a, b, c] =
            co_await coroutine::all([] { return later(1, 3us); }, [] { return sleep(1us); },
                                    later(2), [] { return std::make_unique<int>(3); });
        co_return a + b + *c;
    };
    CHECK(shard.run([&] { return sum(); }) == 6);
}

TEST_CASE("all() on what is ready goes on at once", "[coroutine][cost]") {
    test_shard shard;
    const auto sum = []() -> future<int> {
        auto [a, b] = co_await coroutine::all(make_ready_future<int>(1), [] { return 2; });
        co_return a + b;
    };
    shard.run([&sum] {
        const allocations_since start;
        auto done = sum();
        CHECK(start.count() == 1);  // The frame.
        CHECK(done.available());
        return done.then([](int value) { CHECK(value == 3); });
    });
}

TEST_CASE("all() waits for everything, then throws the first error in order of the arguments",
          "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    static bool slow_one_ended;
    slow_one_ended = false;
    const auto text = text_of<std::runtime_error>(shard, []() -> future<> {
        co_await coroutine::all([] { return sleep(9us).then([] { slow_one_ended = true; }); },
                                fails_later("second"), fails_later("third"));
    });
    CHECK(text == "second");
    CHECK(slow_one_ended);
}

TEST_CASE("parallel_for_each() does all at once and waits for all", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    int begun = 0;
    int ended = 0;
    const auto work = [&]() -> future<> {
        std::vector<int> elements{1, 2, 3, 4, 5};
        co_await coroutine::parallel_for_each(elements, [&begun, &ended](int element) {
            ++begun;
            return sleep(element * 1us).then([&begun, &ended] {
                CHECK(begun == 5);
                ++ended;
            });
        });
        CHECK(ended == 5);
        co_await coroutine::parallel_for_each(elements.begin(), elements.end(),
                                              [&ended](int) { ++ended; });
    };
    shard.run([&] { return work(); });
    CHECK(ended == 10);
}

TEST_CASE("parallel_for_each() throws an error after all rounds have ended", "[coroutine]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    static int ended;
    ended = 0;
    const auto text = text_of<std::runtime_error>(shard, []() -> future<> {
        const std::vector<int> elements{1, 2, 3, 4};
        co_await coroutine::parallel_for_each(elements, [](int element) -> future<> {
            if (element == 1) {
                throw std::runtime_error("thrown");
            }
            co_await sleep(element * 1us);
            ++ended;
            if (element == 3) {
                throw std::runtime_error("failed");
            }
        });
    });
    CHECK(!text.empty());
    CHECK(ended == 3);
}
