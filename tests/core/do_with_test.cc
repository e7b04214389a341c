// Values and callables that live as long as a chain needs them.
#include <miniss/core/do_with.hh>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("do_with() keeps its values at one address until the future is ready", "[do_with]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    const std::size_t size = shard.run([&] {
        return do_with(std::string("hello"), destruction_note(trace, 'd'),
                       [&](std::string& text, destruction_note&) {
                           const std::string* address = &text;
                           return sleep(1h).then([&, address] {
                               CHECK(&text == address);
                               CHECK(text == "hello");
                               CHECK(trace.empty());
                               return text.size();
                           });
                       });
    });
    CHECK(size == 5);
    CHECK(trace == "d");
}

TEST_CASE("do_with() keeps its callable too", "[do_with]") {
    test_shard shard;
    std::string trace;
    shard.run([&] {
        return do_with(1, [&, note = destruction_note(trace, 'd')](int&) {
            return sleep(1s).then([&] { CHECK(trace.empty()); });
        });
    });
    CHECK(trace == "d");
}

TEST_CASE("do_with() frees everything when the callable throws or is ready at once", "[do_with]") {
    test_shard shard;
    std::string trace;
    SECTION("throws") {
        auto failed = do_with(destruction_note(trace, 'd'), [](destruction_note&) -> future<int> {
            throw std::logic_error("x");
        });
        CHECK(trace == "d");
        CHECK_THROWS_AS(failed.get(), std::logic_error);
    }
    SECTION("is ready") {
        auto ready = do_with(destruction_note(trace, 'd'), [](destruction_note&) { return 3; });
        CHECK(trace == "d");
        CHECK(ready.get() == 3);
    }
}

TEST_CASE("do_with() frees its values before what follows runs", "[do_with]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    shard.run([&] {
        return do_with(destruction_note(trace, 'd'), [](destruction_note&) { return sleep(1s); })
            .then([&] { trace += 't'; });
    });
    CHECK(trace == "dt");
}

TEST_CASE("do_with() passes errors on, now and later", "[do_with]") {
    test_shard shard;
    CHECK_THROWS_AS(shard.run([] {
        return do_with(1,
                       [](int&) { return sleep(1s).then([] { throw std::out_of_range("x"); }); });
    }),
                    std::out_of_range);
}

TEST_CASE("do_with() takes move-only values, and copies lvalues", "[do_with]") {
    test_shard shard;
    std::string text = "abc";
    const int sum = shard.run([&] {
        return do_with(std::make_unique<int>(1), text,
                       [](std::unique_ptr<int>& number, std::string& copy) {
                           copy += 'd';
                           return *number + static_cast<int>(copy.size());
                       });
    });
    CHECK(sum == 5);
    CHECK(text == "abc");
}

TEST_CASE("do_with() costs one allocation", "[do_with][cost]") {
    test_shard shard;
    promise<> source;
    const allocations_since start;
    auto result = do_with(1, 2, [&](int&, int&) { return source.get_future(); });
    CHECK(start.count() == 1);
    source.set_value();
    shard.run_until_rest();
    CHECK(result.available());
    CHECK(start.count() == 1);
}
