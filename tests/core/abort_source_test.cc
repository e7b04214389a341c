// Calling work off: everybody who is subscribed hears of it, once.
#include <miniss/core/abort_source.hh>

#include <memory>
#include <stdexcept>
#include <string>

#include <miniss/core/with_abort.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/abort_on_expiry.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("request_abort() calls every subscription at once, in order, and only once", "[abort]") {
    abort_source source;
    std::string trace;
    auto a = source.subscribe([&trace]() noexcept { trace += 'a'; });
    auto b = source.subscribe([&trace](const std::optional<std::exception_ptr>& reason) noexcept {
        trace += reason ? 'B' : 'b';
    });
    CHECK(a.has_value());
    CHECK(*a);
    CHECK(!source.abort_requested());
    source.check();
    source.request_abort();
    CHECK(trace == "ab");
    CHECK(!*a);
    CHECK(source.abort_requested());
    source.request_abort();
    CHECK(trace == "ab");
    CHECK_THROWS_AS(source.check(), abort_requested_exception);
}

TEST_CASE("nobody can subscribe any more once an abort was requested", "[abort]") {
    abort_source source;
    source.request_abort();
    CHECK(!source.subscribe([]() noexcept {}));
}

TEST_CASE("request_abort_ex() hands its reason to the subscriptions and to check()", "[abort]") {
    abort_source source;
    std::exception_ptr heard;
    auto subscription = source.subscribe(
        [&heard](const std::optional<std::exception_ptr>& reason) noexcept { heard = *reason; });
    SECTION("given as an exception") { source.request_abort_ex(std::out_of_range("x")); }
    SECTION("given as a pointer to one") {
        source.request_abort_ex(std::make_exception_ptr(std::out_of_range("x")));
    }
    CHECK_THROWS_AS(std::rethrow_exception(heard), std::out_of_range);
    CHECK_THROWS_AS(source.check(), std::out_of_range);
    CHECK_THROWS_AS(std::rethrow_exception(source.get_exception()), std::out_of_range);
}

TEST_CASE("a subscription that dies is not called, wherever it was moved to", "[abort]") {
    abort_source source;
    std::string trace;
    auto moved = source.subscribe([&trace]() noexcept { trace += 'm'; });
    auto dead = source.subscribe([&trace]() noexcept { trace += 'd'; });
    auto assigned_over = source.subscribe([&trace]() noexcept { trace += 'o'; });
    dead.reset();
    abort_source::subscription target = std::move(*moved);
    *assigned_over = std::move(target);
    source.request_abort();
    CHECK(trace == "m");
}

TEST_CASE("a subscription may end others, and the source, while it is called", "[abort]") {
    auto source = std::make_unique<abort_source>();
    std::string trace;
    std::optional<abort_source::subscription> second;
    std::optional<abort_source::subscription> first = source->subscribe([&]() noexcept {
        trace += '1';
        second.reset();
        source.reset();
    });
    second = source->subscribe([&trace]() noexcept { trace += '2'; });
    auto third = source->subscribe([&trace]() noexcept { trace += '3'; });
    source->request_abort();
    CHECK(trace == "13");
}

TEST_CASE("subscriptions survive their source, and follow it when it moves", "[abort]") {
    std::string trace;
    std::optional<abort_source::subscription> heard;
    std::optional<abort_source::subscription> unheard;
    {
        abort_source source;
        heard = source.subscribe([&trace]() noexcept { trace += 'h'; });
        abort_source moved = std::move(source);
        moved.request_abort();
        abort_source dies;
        unheard = dies.subscribe([&trace]() noexcept { trace += 'u'; });
    }
    CHECK(!*unheard);
    CHECK(trace == "h");
}

TEST_CASE("abort_on_expiry aborts at its moment, not before", "[abort]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    shard.run([&] {
        const auto start = engine().backend().now();
        auto limit = std::make_shared<abort_on_expiry<>>(start + 10ms);
        return sleep(9ms)
            .then([limit] { return sleep_abortable(1h, limit->abort_source()); })
            .then_wrapped([start, limit](future<> ended) {
                CHECK_THROWS_AS(ended.get(), sleep_aborted);
                CHECK(engine().now() - start >= 10ms);
                CHECK(engine().now() - start < 11ms);
            });
    });
}

TEST_CASE("sleep_abortable() sleeps as long as nobody wakes it", "[abort][sleep]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    abort_source source;
    shard.run([&] {
        const auto start = engine().backend().now();
        return sleep_abortable(1h, source).then([start] {
            CHECK(engine().now() - start >= 1h);
            return sleep_abortable(1s);
        });
    });
    source.request_abort();
}

TEST_CASE("sleep_abortable() ends at once when it is aborted", "[abort][sleep]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    abort_source source;
    const bool before = GENERATE(false, true);
    const bool reason = GENERATE(false, true);
    shard.run([&] {
        const auto start = engine().backend().now();
        const auto abort = [&] {
            reason ? source.request_abort_ex(std::out_of_range("x")) : source.request_abort();
        };
        if (before) {
            abort();
        }
        auto slept = sleep_abortable(1h, source);
        CHECK(slept.available() == before);
        if (!before) {
            abort();
        }
        return slept.then_wrapped([&, start](future<> ended) {
            if (reason) {
                CHECK_THROWS_AS(ended.get(), std::out_of_range);
            } else {
                CHECK_THROWS_AS(ended.get(), sleep_aborted);
            }
            CHECK(engine().now() - start < 1s);
        });
    });
}

TEST_CASE("an abortable sleeper is told when the shard stops", "[abort][sleep]") {
    std::string told;
    abort_source source;
    {
        test_shard shard;
        shard.run([&] {
            run_in_background(
                "sleeper",
                sleep_abortable(1h, source).handle_exception_type([&](const sleep_aborted& e) {
                    told = e.what();
                }));
        });
    }
    CHECK(told == "sleep aborted");
    source.request_abort();
}

TEST_CASE("with_abort() passes on what comes before the abort", "[abort]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    abort_source source;
    CHECK(shard.run([&] { return with_abort(source, sleep(1s).then([] { return 7; })); }) == 7);
    CHECK(with_abort(source, make_ready_future<int>(8)).get() == 8);
    CHECK_THROWS_AS(shard.run([&] {
        return with_abort(source, sleep(1s).then([] { throw std::logic_error("x"); }));
    }),
                    std::logic_error);
    source.request_abort();
    CHECK(with_abort(source, make_ready_future<int>(9)).get() == 9);
}

TEST_CASE("with_abort() fails at the abort, and drops what comes later", "[abort]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    abort_source source;
    bool worked_on = false;
    shard.run([&] {
        auto work = sleep(1h).then([&worked_on] {
            worked_on = true;
            throw std::logic_error("late");
        });
        auto limited = with_abort(source, std::move(work));
        source.request_abort();
        CHECK(limited.available());
        CHECK_THROWS_AS(limited.get(), abort_requested_exception);
        CHECK_THROWS_AS(with_abort(source, sleep(1s)).get(), abort_requested_exception);
        return sleep(2h);
    });
    CHECK(worked_on);
}

TEST_CASE("with_abort() gives the reason of the abort", "[abort]") {
    test_shard shard;
    abort_source source;
    auto limited = with_abort(source, sleep(1h));
    source.request_abort_ex(std::out_of_range("x"));
    CHECK_THROWS_AS(limited.get(), std::out_of_range);
}
