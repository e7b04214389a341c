// Chains of futures: what runs, when, and with what.
#include <miniss/core/future.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include <miniss/tests/catch.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

TEST_CASE("then() on a ready future runs the callback before it returns", "[future]") {
    test_shard shard;
    bool ran = false;
    auto result = make_ready_future<int>(20).then([&](int x) {
        ran = true;
        return x + 1;
    });
    CHECK(ran);
    REQUIRE(result.available());
    CHECK(result.get() == 21);
}

TEST_CASE("then() on a ready future runs the callback even if the time slice is over", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    shard.run([] {
        while (!need_preempt()) {}
        const bool at_once = make_ready_future<>().then([] {}).available();
        CHECK((at_once || internal::is_checked_build));  // There, chance may defer it.
    });
}

TEST_CASE("then() on a pending future runs the callback as a task of its own", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    promise<int> source;
    int seen = 0;
    auto result = source.get_future().then([&](int x) { seen = x; });
    source.set_value(5);
    CHECK(seen == 0);
    shard.run_until_rest();
    CHECK(seen == 5);
    CHECK(result.available());
}

TEST_CASE("a chain passes values through callbacks that return values, futures or nothing",
          "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    promise<int> source;
    std::string trace;
    auto end = source.get_future()
                   .then([](int x) { return x + 1; })
                   .then([](int x) { return make_ready_future<std::string>(std::to_string(x)); })
                   .then([&](std::string text) { trace = text; })
                   .then([&] { trace += '!'; });
    if (pending) {
        shard.run_until_rest();
        CHECK(trace.empty());
    }
    source.set_value(41);
    shard.run_until_rest();
    CHECK(end.available());
    CHECK(trace == "42!");
}

TEST_CASE("a chain waits for the future that a callback returned", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    promise<> first;
    promise<int> second;
    auto end = first.get_future().then([&] { return second.get_future(); }).then([](int x) {
        return x * 2;
    });
    first.set_value();
    shard.run_until_rest();
    CHECK(!end.available());
    second.set_value(21);
    shard.run_until_rest();
    REQUIRE(end.available());
    CHECK(end.get() == 42);
}

TEST_CASE("a chain waits for a pending future that a callback of a ready one returned",
          "[future]") {
    test_shard shard;
    promise<int> later;
    auto end = make_ready_future<>().then([&] { return later.get_future(); });
    CHECK(!end.available());
    later.set_value(7);
    REQUIRE(end.available());
    CHECK(end.get() == 7);
}

TEST_CASE("values may be move-only", "[future]") {
    test_shard shard;
    const bool pending = GENERATE(false, true);
    promise<std::unique_ptr<int>> source;
    auto end = pending ? source.get_future()
                       : make_ready_future<std::unique_ptr<int>>(std::make_unique<int>(3));
    auto doubled = end.then([](std::unique_ptr<int> x) {
        *x *= 2;
        return x;
    });
    source.set_value(std::make_unique<int>(3));
    shard.run_until_rest();
    CHECK(*doubled.get() == 6);
}

TEST_CASE("a failed future skips then()", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    promise<int> source;
    bool ran = false;
    auto begin = pending ? source.get_future()
                         : make_exception_future<int>(std::runtime_error("disk on fire"));
    auto end = begin
                   .then([&](int x) {
                       ran = true;
                       return x;
                   })
                   .then([&](int) { ran = true; });
    if (pending) {
        source.set_exception(std::runtime_error("disk on fire"));
    }
    shard.run_until_rest();
    REQUIRE(end.failed());
    CHECK_THROWS_AS(end.get(), std::runtime_error);
    CHECK(!ran);
}

TEST_CASE("what a callback throws fails the future that then() returned", "[future]") {
    test_shard shard;
    const bool pending = GENERATE(false, true);
    promise<> source;
    auto begin = pending ? source.get_future() : make_ready_future<>();
    auto end = begin.then([]() -> int { throw std::out_of_range("no such key"); });
    source.set_value();
    shard.run_until_rest();
    REQUIRE(end.failed());
    CHECK_THROWS_AS(end.get(), std::out_of_range);
}

TEST_CASE("a callback that returns a future may throw instead", "[future]") {
    test_shard shard;
    auto end = make_ready_future<>().then([]() -> future<int> { throw std::out_of_range("x"); });
    CHECK_THROWS_AS(end.get(), std::out_of_range);
}

TEST_CASE("then_wrapped() gets the future itself, succeeded or failed", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool pending = GENERATE(false, true);
    const bool fails = GENERATE(false, true);
    promise<int> source;
    auto look = [](future<int> ended) { return ended.failed() ? -1 : ended.get(); };
    auto wrapped = [&] {
        if (pending) {
            return source.get_future();
        }
        return fails ? make_exception_future<int>(std::runtime_error("x"))
                     : make_ready_future<int>(4);
    }();
    auto end = wrapped.then_wrapped([&](future<int> ended) {
        CHECK(ended.available());
        CHECK(ended.failed() == fails);
        if (fails) {
            ended.ignore_ready_future();
            return -1;
        }
        return look(std::move(ended));
    });
    if (pending && fails) {
        source.set_exception(std::runtime_error("x"));
    } else if (pending) {
        source.set_value(4);
    }
    shard.run_until_rest();
    CHECK(end.get() == (fails ? -1 : 4));
}

TEST_CASE("then_unpack() spreads a tuple over the arguments", "[future]") {
    test_shard shard;
    auto sum = make_ready_future<std::tuple<int, std::string>>(1, "22").then_unpack(
        [](int a, const std::string& b) { return std::to_string(a) + b; });
    CHECK(sum.get() == "122");
    auto none = make_ready_future<std::tuple<>>().then_unpack([] { return 9; });
    CHECK(none.get() == 9);
}

TEST_CASE("discard_result() drops the value and keeps the error", "[future]") {
    test_shard shard;
    CHECK_NOTHROW(make_ready_future<int>(1).discard_result().get());
    CHECK_THROWS_AS(make_exception_future<int>(std::runtime_error("x")).discard_result().get(),
                    std::runtime_error);
    CHECK_NOTHROW(make_ready_future<>().discard_result().get());
}

TEST_CASE("futurize_invoke() turns values, nothing, futures and throws into futures", "[future]") {
    test_shard shard;
    CHECK(futurize_invoke([] { return 1; }).get() == 1);
    CHECK(futurize_invoke([](int x) { return make_ready_future<int>(x); }, 2).get() == 2);
    CHECK_NOTHROW(futurize_invoke([] {}).get());
    CHECK_THROWS_AS(futurize_invoke([]() -> future<> { throw std::logic_error("x"); }).get(),
                    std::logic_error);
    CHECK_THROWS_AS(futurize_invoke([] { throw std::logic_error("x"); }).get(), std::logic_error);
    CHECK(futurize_apply([](int a, int b) { return a - b; }, std::tuple(5, 3)).get() == 2);
}

TEST_CASE("current_exception_as_future() carries what is being handled", "[future]") {
    test_shard shard;
    try {
        throw std::domain_error("x");
    } catch (...) {
        CHECK_THROWS_AS(current_exception_as_future<int>().get(), std::domain_error);
    }
}

TEST_CASE("a promise keeps its result until its future is asked for", "[promise]") {
    test_shard shard;
    promise<int> early;
    early.set_value(8);
    auto value = early.get_future();
    REQUIRE(value.available());
    CHECK(value.get() == 8);

    promise<int> failed;
    failed.set_exception(std::runtime_error("x"));
    CHECK_THROWS_AS(failed.get_future().get(), std::runtime_error);
}

TEST_CASE("set_exception() takes an exception or an exception_ptr", "[promise]") {
    test_shard shard;
    promise<> by_value;
    auto first = by_value.get_future();
    by_value.set_exception(std::out_of_range("x"));
    CHECK_THROWS_AS(first.get(), std::out_of_range);

    promise<> by_pointer;
    auto second = by_pointer.get_future();
    by_pointer.set_exception(std::make_exception_ptr(std::out_of_range("x")));
    CHECK_THROWS_AS(second.get(), std::out_of_range);
}

namespace {

struct picky {
    int value;
    explicit picky(int x) : value(x) {
        if (x < 0) {
            throw std::invalid_argument("negative");
        }
    }
};

}  // namespace

TEST_CASE("a value whose constructor throws leaves the promise as it was", "[promise]") {
    test_shard shard;
    SECTION("before its future is asked for") {
        promise<picky> source;
        CHECK_THROWS_AS(source.set_value(-1), std::invalid_argument);
        source.set_value(1);
        CHECK(source.get_future().get().value == 1);
    }
    SECTION("while its future waits") {
        promise<picky> source;
        auto result = source.get_future();
        CHECK_THROWS_AS(source.set_value(-1), std::invalid_argument);
        CHECK(!result.available());
        source.set_value(2);
        CHECK(result.get().value == 2);
    }
    SECTION("while a continuation waits") {
        promise<picky> source;
        auto result = source.get_future().then([](picky x) { return x.value; });
        CHECK_THROWS_AS(source.set_value(-1), std::invalid_argument);
        source.set_value(3);
        shard.run_until_rest();
        CHECK(result.get() == 3);
    }
}

TEST_CASE("using a promise or a future twice is a bug", "[future]") {
    test_shard shard;
    CHECK(dies_saying("assertion failed", [] {
        promise<int> source;
        auto first = source.get_future();
        auto second = source.get_future();
    }));
    CHECK(dies_saying("assertion failed", [] {
        promise<int> source;
        auto result = source.get_future();
        source.set_value(1);
        source.set_value(2);
    }));
    CHECK(dies_saying("assertion failed", [] {
        promise<int> source;
        source.set_value(1);
        source.set_exception(std::runtime_error("x"));
    }));
    CHECK(dies_saying("assertion failed", [] {
        auto result = make_ready_future<int>(1);
        (void)result.get();
        (void)result.get();
    }));
    CHECK(dies_saying("assertion failed", [] {
        promise<> source;
        auto result = source.get_future();
        auto first = result.then([] {});
        auto second = result.then([] {});
    }));
    CHECK(dies_saying("assertion failed", [] {
        promise<> source;
        auto result = source.get_future();
        result.get();  // Pending.
    }));
    CHECK(dies_saying("assertion failed", [] {
        promise<int> source;
        promise<int> moved(std::move(source));
        source.set_value(1);
    }));
}

TEST_CASE("or_terminate() ends the process on an error, and only then", "[future]") {
    test_shard shard;
    CHECK_NOTHROW(make_ready_future<>().or_terminate().get());
    CHECK(dies_saying("must not fail", [] {
        (void)make_exception_future<>(std::runtime_error("must not fail")).or_terminate();
    }));
}
