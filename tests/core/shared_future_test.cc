// One result for many: each reader gets a copy, whenever he comes.
#include <miniss/core/shared_future.hh>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("a shared_future gives the result to all, who come before and after", "[shared_future]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    promise<std::string> source;
    shared_future<std::string> shared(source.get_future());
    CHECK(shared.valid());
    CHECK(!shared.available());
    auto a = shared.get_future();
    auto b = shared_future<std::string>(shared).get_future();
    source.set_value("x");
    CHECK(shared.available());
    CHECK(shared.get_future().get() == "x");
    shard.run_until_rest();
    CHECK(a.get() == "x");
    CHECK(b.get() == "x");
    future<std::string> converted = shared;
    CHECK(converted.get() == "x");
}

TEST_CASE("a shared_future of a ready future is ready", "[shared_future]") {
    test_shard shard;
    shared_future<> shared(make_ready_future<>());
    CHECK(shared.available());
    CHECK(!shared.failed());
    shared.get_future().get();
    CHECK(!shared_future<int>().valid());
}

TEST_CASE("all readers of a shared_future get its error", "[shared_future]") {
    test_shard shard;
    promise<> source;
    shared_future<> shared(source.get_future());
    auto a = shared.get_future();
    source.set_exception(std::logic_error("x"));
    CHECK(shared.failed());
    shard.run_until_rest();
    CHECK_THROWS_AS(a.get(), std::logic_error);
    CHECK_THROWS_AS(shared.get_future().get(), std::logic_error);
}

// An ignored failure would fail the whole run of the tests.
TEST_CASE("an error that nobody asked a shared_future for is dropped without a word",
          "[shared_future]") {
    test_shard shard;
    { shared_future<> ready(make_exception_future<>(std::logic_error("x"))); }
    promise<> source;
    { shared_future<> early(source.get_future()); }
    source.set_exception(std::logic_error("x"));
    shared_promise<int> unread;
    unread.set_exception(std::logic_error("x"));
}

TEST_CASE("readers of a shared_future may be gone, or the last copy of it, before the result",
          "[shared_future]") {
    test_shard shard;
    promise<int> source;
    std::optional<future<int>> reader;
    {
        shared_future<int> shared(source.get_future());
        reader = shared.get_future();
        { auto dropped = shared.get_future(); }
    }
    source.set_value(3);
    shard.run_until_rest();
    CHECK(reader->get() == 3);
}

TEST_CASE("a reader of a shared_future may limit his wait, without harm to others",
          "[shared_future]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    shared_promise<int> source;
    abort_source aborts;
    auto patient = source.get_shared_future();
    auto timed = source.get_shared_future(1s);
    auto aborted = source.get_shared_future(aborts);
    aborts.request_abort();
    shard.run([] { return sleep(2s); });
    CHECK_THROWS_AS(timed.get(), timed_out_error);
    CHECK_THROWS_AS(aborted.get(), abort_requested_exception);
    CHECK(!patient.available());
    source.set_value(4);
    CHECK(source.available());
    CHECK(!source.failed());
    shard.run_until_rest();
    CHECK(patient.get() == 4);
}

TEST_CASE("a shared_promise that dies breaks its readers", "[shared_future]") {
    test_shard shard;
    auto source = std::make_unique<shared_promise<int>>();
    auto reader = source->get_shared_future();
    source.reset();
    shard.run_until_rest();
    CHECK_THROWS_AS(reader.get(), broken_promise);
}

TEST_CASE("a copy that fails fails its reader alone", "[shared_future]") {
    struct brittle {
        int* copies_left;
        explicit brittle(int* left) : copies_left(left) {}
        brittle(const brittle& other) : copies_left(other.copies_left) {
            if ((*copies_left)-- == 0) {
                throw std::length_error("x");
            }
        }
        brittle(brittle&&) noexcept = default;
    };
    test_shard shard;
    int left = 1;
    shared_promise<brittle> source;
    auto a = source.get_shared_future();
    auto b = source.get_shared_future();
    source.set_value(&left);
    shard.run_until_rest();
    CHECK((a.failed() != b.failed()));
    CHECK_THROWS_AS((a.failed() ? a : b).get(), std::length_error);
    CHECK(source.get_shared_future().get().copies_left == &left);
}
