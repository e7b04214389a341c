// A promise and its future find each other however they are moved, and notice when one is gone.
#include <miniss/core/future.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

// Moves `object` to itself, behind the compiler's back.
template <typename T>
void move_to_itself(T& object) {
    T& same = object;
    object = std::move(same);
}

}  // namespace

TEST_CASE("the link survives moves of promise and future in any order", "[future]") {
    test_shard shard;
    promise<int> first_promise;
    auto first_future = first_promise.get_future();
    promise<int> second_promise(std::move(first_promise));
    future<int> second_future(std::move(first_future));
    promise<int> third_promise;
    third_promise = std::move(second_promise);
    auto third_future = make_ready_future<int>(0);
    third_future.ignore_ready_future();
    third_future = std::move(second_future);
    third_promise.set_value(3);
    REQUIRE(third_future.available());
    CHECK(third_future.get() == 3);
}

TEST_CASE("the link survives moves when a continuation waits", "[future]") {
    test_shard shard;
    promise<int> first;
    auto result = first.get_future().then([](int x) { return x; });
    promise<int> second(std::move(first));
    promise<int> third;
    third = std::move(second);
    future<int> moved(std::move(result));
    third.set_value(5);
    shard.run_until_rest();
    CHECK(moved.get() == 5);
}

TEST_CASE("a promise that holds a result without a future may move", "[promise]") {
    test_shard shard;
    promise<int> first;
    first.set_value(6);
    promise<int> second(std::move(first));
    CHECK(second.get_future().get() == 6);
}

TEST_CASE("a promise may be moved before its future is asked for", "[promise]") {
    test_shard shard;
    promise<int> first;
    promise<int> second(std::move(first));
    auto result = second.get_future();
    second.set_value(7);
    CHECK(result.get() == 7);
}

TEST_CASE("promise and future may be moved to themselves", "[future]") {
    test_shard shard;
    promise<int> source;
    move_to_itself(source);
    auto result = source.get_future();
    move_to_itself(source);
    move_to_itself(result);
    source.set_value(1);
    move_to_itself(source);
    move_to_itself(result);
    CHECK(result.get() == 1);

    promise<int> unread;
    unread.set_value(2);
    move_to_itself(unread);
    CHECK(unread.get_future().get() == 2);
}

TEST_CASE("promises and futures may be swapped", "[future]") {
    test_shard shard;
    promise<int> a;
    promise<int> b;
    auto from_a = a.get_future();
    auto from_b = b.get_future();
    SECTION("promises") { std::swap(a, b); }
    SECTION("futures") { std::swap(from_a, from_b); }
    SECTION("a promise with itself") {
        std::swap(a, a);
        std::swap(a, b);
    }
    SECTION("a future with itself") {
        std::swap(from_a, from_a);
        std::swap(from_a, from_b);
    }
    a.set_value(1);
    b.set_value(2);
    CHECK(from_a.get() == 2);
    CHECK(from_b.get() == 1);
}

TEST_CASE("futures survive the growth of a vector", "[future]") {
    test_shard shard;
    std::vector<promise<int>> sources;
    std::vector<future<int>> results;
    for (int i = 0; i < 100; ++i) {
        sources.emplace_back();
        results.push_back(sources.back().get_future());
    }
    for (std::size_t i = 0; i < 100; ++i) {
        sources[i].set_value(static_cast<int>(i));
    }
    for (std::size_t i = 0; i < 100; ++i) {
        CHECK(results[i].get() == static_cast<int>(i));
    }
}

TEST_CASE("a future may be assigned over a pending one, whose promise then has no reader",
          "[future]") {
    test_shard shard;
    auto old = std::make_unique<promise<int>>();
    auto result = old->get_future();
    SECTION("with a ready one") {
        result = make_ready_future<int>(4);
        old->set_value(3);
        old.reset();
        CHECK(result.get() == 4);
    }
    SECTION("with a ready one, the promise dies first") {
        result = make_ready_future<int>(4);
        old.reset();
        CHECK(result.get() == 4);
    }
    SECTION("with another pending one") {
        promise<int> other;
        result = other.get_future();
        old.reset();
        CHECK(!result.available());
        other.set_value(4);
        CHECK(result.get() == 4);
    }
}

TEST_CASE("a pending future may be assigned over a ready one", "[future]") {
    test_shard shard;
    promise<int> source;
    auto result = make_ready_future<int>(1);
    result = source.get_future();
    CHECK(!result.available());
    source.set_value(2);
    REQUIRE(result.available());
    CHECK(result.get() == 2);
}

TEST_CASE("a pending future may be assigned over a failed one, which is reported", "[future]") {
    test_shard shard;
    const expect_ignored_failures one(1);
    promise<int> source;
    auto result = make_exception_future<int>(std::runtime_error("overwritten"));
    result = source.get_future();
    CHECK(one.so_far() == 1);
    source.set_value(2);
    CHECK(result.get() == 2);
}

TEST_CASE("a pending future may be assigned over one that was used", "[future]") {
    test_shard shard;
    promise<int> source;
    auto result = make_ready_future<int>(1);
    CHECK(result.get() == 1);
    result = source.get_future();
    source.set_value(2);
    CHECK(result.get() == 2);
}

TEST_CASE("a promise that dies without a result breaks", "[promise]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    std::optional<promise<int>> source(std::in_place);
    SECTION("the future that waits") {
        auto result = source->get_future();
        source.reset();
        REQUIRE(result.failed());
        CHECK_THROWS_AS(result.get(), broken_promise);
    }
    SECTION("a chain, however long") {
        auto result = source->get_future().then([](int x) { return x; }).then([](int) {});
        source.reset();
        shard.run_until_rest();
        REQUIRE(result.failed());
        CHECK_THROWS_AS(result.get(), broken_promise);
    }
    SECTION("what it is overwritten from") {
        auto result = source->get_future();
        *source = promise<int>();
        CHECK_THROWS_AS(result.get(), broken_promise);
    }
    SECTION("nothing, if nobody asked for its future") { source.reset(); }
    SECTION("nothing, if its future is gone") {
        { auto result = source->get_future(); }
        source.reset();
    }
}

TEST_CASE("broken_promise says what it is", "[promise]") {
    CHECK(std::string(broken_promise().what()).find("broken promise") == 0);
}

TEST_CASE("forward_to() passes a result to a promise, now or later", "[future]") {
    test_shard shard;
    const bool pending = GENERATE(false, true);
    promise<int> source;
    promise<int> target;
    auto begin = pending ? source.get_future() : make_ready_future<int>(5);
    SECTION("whose future waits") {
        auto result = target.get_future();
        begin.forward_to(std::move(target));
        source.set_value(5);
        CHECK(result.get() == 5);
    }
    SECTION("whose continuation waits") {
        auto result = target.get_future().then([](int x) { return x + 1; });
        begin.forward_to(std::move(target));
        source.set_value(5);
        shard.run_until_rest();
        CHECK(result.get() == 6);
    }
    SECTION("whose future is gone") {
        { auto result = target.get_future(); }
        begin.forward_to(std::move(target));
        source.set_value(5);
    }
    SECTION("whose future nobody asked for") {
        begin.forward_to(std::move(target));
        source.set_value(5);
    }
}

TEST_CASE("after forward_to() a dying source breaks the target's future", "[future]") {
    test_shard shard;
    promise<int> target;
    auto result = target.get_future();
    {
        promise<int> source;
        source.get_future().forward_to(std::move(target));
    }
    CHECK_THROWS_AS(result.get(), broken_promise);
}

TEST_CASE("forward_to() leaves the source movable", "[future]") {
    test_shard shard;
    promise<int> source;
    promise<int> target;
    auto result = target.get_future();
    source.get_future().forward_to(std::move(target));
    promise<int> moved(std::move(source));
    future<int> moved_result(std::move(result));
    moved.set_value(9);
    CHECK(moved_result.get() == 9);
}

TEST_CASE("an error that is forwarded to nobody is reported", "[future]") {
    test_shard shard;
    const expect_ignored_failures two(2);
    promise<int> target;
    make_exception_future<int>(std::runtime_error("ready")).forward_to(std::move(target));
    promise<int> source;
    promise<int> other;
    source.get_future().forward_to(std::move(other));
    source.set_exception(std::runtime_error("late"));
}
