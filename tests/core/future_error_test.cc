// Errors in chains: who gets them, and what becomes of those that nobody reads.
#include <miniss/core/future.hh>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <miniss/core/location_text.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using Catch::Matchers::EndsWith;

namespace {

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    }
}

// What a report says of a place in this file.
std::string from(unsigned line) {
    return std::string(" (from ") +
           internal::location_text(code_location::current(__FILE__, line)).c_str() + ')';
}

// A future that fails now, or a while later in the shard's run().
constexpr unsigned place_of_failing = __LINE__ + 3;
future<int> failing(bool later, const char* text) {
    if (!later) {
        return make_exception_future<int>(std::runtime_error(text));
    }
    promise<> source;
    auto failed = source.get_future().then([text]() -> int { throw std::runtime_error(text); });
    source.set_value();
    return failed;
}

}  // namespace

TEST_CASE("handle_exception() gets the error, and its result takes the value's place", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool later = GENERATE(false, true);
    auto result = failing(later, "x").handle_exception([](std::exception_ptr error) {
        return static_cast<int>(text_of(error).size());
    });
    shard.run_until_rest();
    CHECK(result.get() == 1);
}

TEST_CASE("handle_exception() may return a future or fail again", "[future]") {
    test_shard shard;
    auto recovered = failing(false, "x").handle_exception([](std::exception_ptr) {
        return make_ready_future<int>(2);
    });
    CHECK(recovered.get() == 2);
    auto failed = failing(false, "x").handle_exception([](std::exception_ptr) -> future<int> {
        throw std::logic_error("y");
    });
    CHECK_THROWS_AS(failed.get(), std::logic_error);
}

TEST_CASE("handle_exception() lets values pass", "[future]") {
    test_shard shard;
    bool ran = false;
    promise<int> source;
    auto later = source.get_future().handle_exception([&](std::exception_ptr) {
        ran = true;
        return 0;
    });
    source.set_value(4);
    shard.run_until_rest();
    CHECK(later.get() == 4);
    auto ready = make_ready_future<int>(3).handle_exception([&](std::exception_ptr) {
        ran = true;
        return 0;
    });
    CHECK(ready.get() == 3);
    CHECK(!ran);
}

TEST_CASE("handle_exception_type() handles its type and those derived from it", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool later = GENERATE(false, true);
    auto by_base = failing(later, "12345").handle_exception_type([](const std::exception& error) {
        return static_cast<int>(std::string(error.what()).size());
    });
    auto by_itself = failing(later, "x").handle_exception_type([](std::runtime_error& error) {
        return error.what()[0] == 'x' ? 1 : 0;
    });
    auto other =
        failing(later, "x").handle_exception_type([](const std::logic_error&) { return 0; });
    shard.run_until_rest();
    CHECK(by_base.get() == 5);
    CHECK(by_itself.get() == 1);
    CHECK_THROWS_AS(other.get(), std::runtime_error);
}

TEST_CASE("finally() runs in any case and passes the result on", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool later = GENERATE(false, true);
    int runs = 0;
    promise<int> source;
    auto value = later ? source.get_future() : make_ready_future<int>(3);
    auto kept = value.finally([&] { ++runs; });
    auto failed = failing(later, "x").finally([&] { ++runs; });
    source.set_value(3);
    shard.run_until_rest();
    CHECK(kept.get() == 3);
    CHECK_THROWS_AS(failed.get(), std::runtime_error);
    CHECK(runs == 2);
}

TEST_CASE("finally() waits for the future of its callback, and drops its value", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    promise<std::string> cleaned;
    auto result = make_ready_future<int>(3).finally([&] { return cleaned.get_future(); });
    shard.run_until_rest();
    CHECK(!result.available());
    cleaned.set_value("dropped");
    shard.run_until_rest();
    CHECK(result.get() == 3);
}

TEST_CASE("if only the callback of finally() fails, its error is the result", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool later = GENERATE(false, true);
    auto thrown = make_ready_future<int>(3).finally([] { throw std::logic_error("y"); });
    auto returned = make_ready_future<int>(3).finally([&] { return failing(later, "z"); });
    shard.run_until_rest();
    CHECK_THROWS_AS(thrown.get(), std::logic_error);
    CHECK(text_of(returned.get_exception()) == "z");
}

TEST_CASE("if both fail, finally() nests the two errors", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    const bool first_later = GENERATE(false, true);
    const bool second_later = GENERATE(false, true);
    auto result =
        failing(first_later, "original").finally([&] { return failing(second_later, "cleanup"); });
    shard.run_until_rest();
    try {
        result.get();
        FAIL("it must fail");
    } catch (const nested_exception& both) {
        CHECK(text_of(both.inner) == "cleanup");
        CHECK(text_of(both.outer) == "original");
    }
}

TEST_CASE("a failed future that is thrown away is reported once and counted", "[report]") {
    test_shard shard;
    const expect_ignored_failures one(1);
    { auto dropped = failing(false, "dropped"); }
    CHECK(one.so_far() == 1);
}

TEST_CASE("a failure at the end of a chain that nobody reads is reported once", "[report]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    const expect_ignored_failures one(1);
    promise<> source;
    {
        auto chain = source.get_future().then([] {}).then([] {});
    }
    source.set_exception(std::runtime_error("nobody reads this"));
    shard.run_until_rest();
    CHECK(one.so_far() == 1);
}

TEST_CASE("a failed future that is assigned over is reported", "[report]") {
    test_shard shard;
    const expect_ignored_failures one(1);
    auto result = failing(false, "overwritten");
    result = make_ready_future<int>(1);
    CHECK(result.get() == 1);
}

TEST_CASE("an error set on a promise whose future is gone is reported there and then", "[report]") {
    test_shard shard;
    const expect_ignored_failures one(1);
    promise<> source;
    { auto dropped = source.get_future(); }
    CHECK(one.so_far() == 0);
    source.set_exception(std::runtime_error("too late"));
    CHECK(one.so_far() == 1);
}

TEST_CASE("an error in a promise whose future nobody asked for is reported when it dies",
          "[report]") {
    test_shard shard;
    const expect_ignored_failures two(2);
    {
        promise<> source;
        source.set_exception(std::runtime_error("unasked"));
        promise<> moved(std::move(source));
        CHECK(two.so_far() == 0);
    }
    CHECK(two.so_far() == 1);
    promise<> overwritten;
    overwritten.set_exception(std::runtime_error("unasked"));
    overwritten = promise<>();
    CHECK(two.so_far() == 2);
}

TEST_CASE("an error that was read, handled, moved on or ignored on purpose is not reported",
          "[report]") {
    test_shard shard;
    const expect_ignored_failures none(0);
    CHECK_THROWS(failing(false, "x").get());
    (void)failing(false, "x").get_exception();
    failing(false, "x").ignore_ready_future();
    (void)failing(false, "x").handle_exception([](std::exception_ptr) { return 0; });
    auto first = failing(false, "x");
    auto second = std::move(first);
    second.ignore_ready_future();
}

TEST_CASE("a report names the type and the text of the error", "[report]") {
    test_shard shard;
    const expect_ignored_failures three(3);
    captured_stderr captured;
    { auto dropped = failing(false, "disk on fire"); }
    CHECK_THAT(captured.take(),
               EndsWith("miniss - ignored failed future: std::runtime_error: disk on fire" +
                        from(place_of_failing) + '\n'));
    { auto dropped = make_exception_future<>(42, code_location()); }
    CHECK_THAT(captured.take(), EndsWith("miniss - ignored failed future: int\n"));
    run_in_background("accept loop", make_exception_future<>(std::logic_error("no port"),
                                                             code_location::named("listen")));
    CHECK_THAT(captured.take(), EndsWith("miniss - failed in background: accept loop: "
                                         "std::logic_error: no port (from listen)\n"));
}

TEST_CASE("a report names the place where the callback was attached that threw", "[report]") {
    test_shard shard;
    const bool later = GENERATE(false, true);
    const expect_ignored_failures one(1);
    captured_stderr captured;
    promise<> source;
    if (!later) {
        source.set_value();
    }
    auto first = source.get_future();
    unsigned line = 0;
    {
        line = __LINE__ + 1;
        auto dropped = first.then([] { throw 1; });
    }
    if (later) {
        source.set_value();
        shard.run_until_rest();
    }
    CHECK_THAT(captured.take(),
               EndsWith("miniss - ignored failed future: int" + from(line) + '\n'));
}

TEST_CASE("a report also names the task that dropped the failure", "[report]") {
    test_shard shard;
    const expect_ignored_failures one(1);
    captured_stderr captured;
    promise<> source;
    const auto here = code_location::named("the one who drops");
    auto done = source.get_future().then(
        [] { (void)make_exception_future<>(1, code_location::named("the maker")); }, here);
    source.set_value();
    shard.run_until_rest();
    done.get();
    CHECK_THAT(
        captured.take(),
        EndsWith("miniss - ignored failed future: int (from the maker, in the one who drops)\n"));
}

TEST_CASE("a failure that goes along a chain keeps the place where it came up", "[report]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    promise<> source;
    auto end = source.get_future()
                   .then([] { throw 1; }, code_location::named("first"))
                   .then([] {}, code_location::named("second"))
                   .finally([] {}, code_location::named("third"))
                   .handle_exception_type([](const std::string&) {});
    source.set_value();
    shard.run_until_rest();
    REQUIRE(end.failed());
    CHECK(std::string(end.origin().text()) == "first");
    end.ignore_ready_future();

    auto broken = std::optional<promise<>>(std::in_place);
    auto orphan = broken->get_future(code_location::named("a promise")).then([] {});
    broken.reset();
    shard.run_until_rest();
    REQUIRE(orphan.failed());
    CHECK(std::string(orphan.origin().text()) == "a promise");
    orphan.ignore_ready_future();
}

TEST_CASE("run_in_background() lets work go on and reports its failure", "[report]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    const expect_ignored_failures one(1);
    promise<> good;
    promise<int> bad;
    int done = 0;
    run_in_background("good", good.get_future().then([&] { ++done; }));
    run_in_background("bad", bad.get_future().finally([&] { ++done; }));
    good.set_value();
    bad.set_exception(std::runtime_error("x"));
    shard.run_until_rest();
    CHECK(done == 2);
    CHECK(one.so_far() == 1);
}

TEST_CASE("shard.run() gives the error of the future", "[future]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    CHECK_THROWS_AS(shard.run([] { return failing(true, "x"); }), std::runtime_error);
}

// Hidden: it is run by the test below, in a process of its own.
TEST_CASE("a failed future is dropped here, and nobody is told to expect it",
          "[.][drops_failure]") {
    (void)make_exception_future<>(std::runtime_error("dropped"));
}

TEST_CASE("a test program fails when a failure was ignored, though its tests passed", "[report]") {
    const pid_t child = ::fork();
    if (child == 0) {
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDOUT_FILENO);
        ::dup2(nowhere, STDERR_FILENO);
        ::execl("/proc/self/exe", "test", "[drops_failure]", nullptr);
        ::_exit(127);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 3);
}
