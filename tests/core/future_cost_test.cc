// What chains cost, and how long they keep their callbacks.
#include <miniss/core/future.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

TEST_CASE("a ready chain allocates nothing", "[future][cost]") {
    test_shard shard;
    const allocations_since start;
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
        sum += make_ready_future<int>(i)
                   .then([](int x) { return x + 1; })
                   .then([](int x) { return make_ready_future<int>(x); })
                   .then_wrapped([](future<int> ended) { return ended.get(); })
                   .finally([] {})
                   .handle_exception([](std::exception_ptr) { return 0; })
                   .get();
    }
    CHECK(start.count() == 0);
    CHECK(sum == 5050);
}

TEST_CASE("a promise and its future allocate nothing", "[promise][cost]") {
    test_shard shard;
    const allocations_since start;
    promise<int> source;
    auto result = source.get_future();
    source.set_value(1);
    CHECK(result.get() == 1);
    promise<int> target;
    auto forwarded = target.get_future();
    promise<int> other;
    other.get_future().forward_to(std::move(target));
    other.set_value(2);
    CHECK(forwarded.get() == 2);
    CHECK(start.count() == 0);
}

TEST_CASE("each callback on a pending future is one allocation, freed after it ran",
          "[future][cost]") {
    test_shard shard;
    const long live_before = live_allocation_count();
    promise<int> source;
    const allocations_since start;
    auto one = source.get_future().then([](int x) { return x + 1; });
    CHECK(start.count() == 1);
    auto two = one.then_wrapped([](future<int> ended) { return ended.get(); });
    CHECK(start.count() == 2);
    auto three = two.finally([] {});
    CHECK(start.count() == 3);
    auto four = three.handle_exception([](std::exception_ptr) { return 0; });
    CHECK(start.count() == 4);
    auto five = four.discard_result();
    CHECK(start.count() == 5);
    source.set_value(1);
    while (!five.available()) {
        shard.run_one_turn();
    }
    five.get();
    CHECK(start.count() == 5);
    CHECK(live_allocation_count() == live_before);
}

TEST_CASE("running continuations allocates nothing", "[future][cost]") {
    test_shard shard;
    shard.run_until_rest();  // The world of the test does.
    promise<int> source;
    auto result = source.get_future().then([](int x) { return x + 1; }).then([](int x) {
        return make_ready_future<int>(x + 1);
    });
    shard_context& context = shard.shard().context;
    const allocations_since start;
    source.set_value(1);
    for (int i = 0; i < 3; ++i) {
        context.loop->run_one_turn();
    }
    CHECK(start.count() == 0);
    CHECK(result.get() == 3);
}

TEST_CASE("a callback is destroyed right after it ran, before what follows", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::string trace;
    promise<> source;
    auto result = source.get_future()
                      .then([&trace, guard = destruction_note(trace, 'a')] { trace += '1'; })
                      .then([&trace, guard = destruction_note(trace, 'b')] { trace += '2'; })
                      .finally([&trace, guard = destruction_note(trace, 'c')] { trace += '3'; });
    source.set_value();
    shard.run_until_rest();
    CHECK(trace == "1a2b3c");
    CHECK(result.available());
}

TEST_CASE("a callback is destroyed when it returned, not when its future is ready", "[future]") {
    test_shard shard;
    std::string trace;
    promise<> first;
    promise<> second;
    auto result = first.get_future().then(
        [&second, guard = destruction_note(trace, 'a')] { return second.get_future(); });
    first.set_value();
    shard.run_until_rest();
    CHECK(trace == "a");
    CHECK(!result.available());
    second.set_value();
    CHECK(result.available());
}

TEST_CASE("a callback that is skipped is destroyed when the error has passed it", "[future]") {
    test_shard shard;
    std::string trace;
    promise<> source;
    auto result = source.get_future().then([guard = destruction_note(trace, 'a')] {});
    source.set_exception(std::runtime_error("x"));
    shard.run_until_rest();
    CHECK(trace == "a");
    CHECK_THROWS(result.get());
}

TEST_CASE("a callback of a promise that dies is destroyed", "[future]") {
    std::string trace;
    {
        test_shard shard;
        std::optional<promise<>> source(std::in_place);
        auto result = source->get_future().then([guard = destruction_note(trace, 'a')] {});
        source.reset();
        shard.run_until_rest();
        CHECK(trace == "a");
        CHECK_THROWS_AS(result.get(), broken_promise);
    }
    CHECK(trace == "a");
}

TEST_CASE("callbacks may be move-only, and are never copied then", "[future]") {
    test_shard shard;
    const bool pending = GENERATE(false, true);
    promise<int> source;
    auto begin = pending ? source.get_future() : make_ready_future<int>(3);
    auto result = begin.then([more = std::make_unique<int>(4)](int x) { return x + *more; })
                      .then_wrapped([more = std::make_unique<int>(5)](future<int> ended) {
                          return ended.get() + *more;
                      })
                      .finally([kept = std::make_unique<int>(0)] { ++*kept; })
                      .handle_exception(
                          [kept = std::make_unique<int>(0)](std::exception_ptr) { return *kept; });
    source.set_value(3);
    shard.run_until_rest();
    CHECK(result.get() == 12);
}

TEST_CASE("an lvalue callback is copied into a pending chain and stays usable", "[future]") {
    test_shard shard;
    copy_count counts;
    auto callback = [tracked = copy_tracked(counts)](int x) { return x + 1; };
    SECTION("then()") {
        promise<int> source;
        auto result = source.get_future().then(callback);
        CHECK(counts.copies == 1);
        source.set_value(1);
        shard.run_until_rest();
        CHECK(result.get() == 2);
    }
    SECTION("then_wrapped()") {
        auto wrapped = [tracked = copy_tracked(counts)](future<int> ended) { return ended.get(); };
        promise<int> source;
        auto result = source.get_future().then_wrapped(wrapped);
        CHECK(counts.copies == 1);
        source.set_value(1);
        shard.run_until_rest();
        CHECK(result.get() == 1);
    }
    SECTION("then() on a ready future needs no copy") {
        CHECK(make_ready_future<int>(1).then(callback).get() == 2);
        CHECK(counts.copies == 0);
    }
    CHECK(callback(1) == 2);
}

TEST_CASE("an rvalue callback is only moved", "[future]") {
    test_shard shard;
    copy_count counts;
    promise<int> source;
    auto result = source.get_future()
                      .then([tracked = copy_tracked(counts)](int x) { return x; })
                      .finally([tracked = copy_tracked(counts)] {});
    source.set_value(1);
    shard.run_until_rest();
    CHECK(result.get() == 1);
    CHECK(counts.copies == 0);
}

TEST_CASE("values are only moved on their way through a chain", "[future]") {
    test_shard shard;
    copy_count counts;
    const bool pending = GENERATE(false, true);
    promise<copy_tracked> source;
    auto begin =
        pending ? source.get_future() : make_ready_future<copy_tracked>(copy_tracked(counts));
    auto result = begin.then([](copy_tracked value) { return value; }).finally([] {});
    source.set_value(copy_tracked(counts));
    shard.run_until_rest();
    (void)result.get();
    CHECK(counts.copies == 0);
}

TEST_CASE("a chain of a hundred thousand callbacks runs in constant stack", "[future]") {
    test_shard shard(GENERATE(0u, 1u));
    promise<int> source;
    auto end = source.get_future();
    stack_depth depth;
    for (int i = 0; i < 100'000; ++i) {
        end = end.then([&depth](int x) {
            depth.measure();
            return x + 1;
        });
    }
    source.set_value(0);
    shard.run_until_rest();
    CHECK(end.get() == 100'000);
    CHECK(depth.range_bytes() < 4096);
}
