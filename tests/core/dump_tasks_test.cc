// What is said of tasks that wait.
#include <miniss/core/dump_tasks.hh>

#include <string>
#include <vector>

#include <miniss/core/condition_variable.hh>
#include <miniss/core/coroutine.hh>
#include <miniss/core/coroutine/all.hh>
#include <miniss/core/gate.hh>
#include <miniss/core/location_text.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/core/task_memory.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/lists_keep.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>
#include <miniss/timer/with_timeout.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string described() { return describe_tasks(*this_shard); }

std::string place(unsigned line) {
    return internal::location_text(code_location::current(__FILE__, line)).c_str();
}

// A line of the dump.
std::string line_of(unsigned count, const std::string& chain) {
    return std::string(5, ' ') + std::to_string(count) + " x " + chain + '\n';
}

}  // namespace

TEST_CASE("a chain is told from what it waits for to its end, with places", "[dump]") {
    test_shard shard;
    promise<> source;
    const unsigned line = __LINE__ + 1;
    auto begun = source.get_future();
    auto next = begun.then([] {});
    auto end = next.finally([] {});
    CHECK(described() == "miniss: shard 0: 2 tasks wait, 0 are ready to run\n" +
                             line_of(1, "promise of " + place(line) + " <- " + place(line + 1) +
                                            " <- " + place(line + 2)));
    source.set_value();
    CHECK(described() == "miniss: shard 0: 1 tasks wait, 1 are ready to run\n" +
                             line_of(1, "? <- " + place(line + 2)));
    shard.run_until_rest();
    CHECK(described() == "miniss: shard 0: 0 tasks wait, 0 are ready to run\n");
}

TEST_CASE("what it waits for has a name where the library makes it", "[dump]") {
    test_shard shard;
    const auto here = code_location::named("here");
    semaphore units(0);
    gate inside;
    condition_variable changed;
    inside.enter();
    std::vector<future<>> waiting;
    waiting.push_back(sleep(1h).then([] {}, here));
    waiting.push_back(units.wait().then([] {}, here));
    waiting.push_back(inside.close().then([] {}, here));
    waiting.push_back(changed.wait().then([] {}, here));
    const std::string text = described();
    for (const char* name : {"sleep", "semaphore", "gate to be empty", "condition variable"}) {
        CHECK(has(text, line_of(1, std::string(name) + " <- here")));
    }
    inside.leave();
    units.signal();
    changed.signal();
    shard.run([&waiting] { return when_all_succeed(waiting.begin(), waiting.end()); });
}

TEST_CASE("a chain goes on through futures that callbacks return", "[dump]") {
    test_shard shard;
    auto end = make_ready_future<>()
                   .then([] { return sleep(1h).then([] {}, code_location::named("inner")); })
                   .then([] {}, code_location::named("outer"));
    CHECK(has(described(), line_of(1, "sleep <- inner <- outer")));
    promise<> source;
    auto late = source.get_future()
                    .then([] { return sleep(1h); }, code_location::named("first"))
                    .then([] {}, code_location::named("second"));
    source.set_value();
    shard.run_until_rest();
    CHECK(has(described(), line_of(1, "sleep <- second")));
    shard.run([&] { return when_all_succeed(std::move(end), std::move(late)); });
}

TEST_CASE("many chains of one kind are one line with their count, the most first", "[dump]") {
    test_shard shard;
    std::vector<promise<>> sources(1000);
    std::vector<future<>> ends;
    promise<> other;
    ends.push_back(other.get_future(code_location::named("other")).then([] {}));
    for (auto& each : sources) {
        ends.push_back(each.get_future(code_location::named("each"))
                           .then([] {}, code_location::named("one"))
                           .then([] {}, code_location::named("two")));
    }
    const std::string text = described();
    CHECK(has(text, "2001 tasks wait"));
    CHECK(has(text, "  1000 x each <- one <- two\n     1 x other <- "));
    for (auto& each : sources) {
        each.set_value();
    }
    other.set_value();
    shard.run([&ends] { return when_all_succeed(ends.begin(), ends.end()); });
}

TEST_CASE("a dump is bounded, in kinds and in links, and counts the rest", "[dump]") {
    test_shard shard;
    const unsigned kind_count = 100;
    const unsigned link_count = 50;
    std::vector<promise<>> sources(kind_count);
    std::vector<future<>> ends;
    for (unsigned i = 0; i < kind_count; ++i) {
        ends.push_back(sources[i].get_future(code_location::named("kind", i)).then([] {}));
    }
    for (unsigned i = 1; i < link_count; ++i) {
        ends[0] = ends[0].then([] {}, code_location::named("link"));
    }
    const std::string text = described();
    CHECK(has(text, "     1 x kind 39 <- "));
    CHECK(!has(text, "kind 40"));
    CHECK(has(text, "and 60 chains of 60 other kinds\n"));
    CHECK(has(text, " <- link <- 34 more\n"));
    for (auto& each : sources) {
        each.set_value();
    }
    shard.run([&ends] { return when_all_succeed(ends.begin(), ends.end()); });
}

TEST_CASE("a loop that waits is part of the chain, at the place where it was begun", "[dump]") {
    test_shard shard;
    const unsigned line = __LINE__ + 1;
    auto end = repeat([] { return sleep(1h).then([] { return stop_iteration::yes; }); });
    CHECK(has(described(), "sleep <- " + place(line) + " <- " + place(line) + '\n'));
    shard.run([&end] { return std::move(end); });
}

namespace {

constexpr unsigned line_of_await = __LINE__ + 1;
future<> inner() { co_await sleep(1h); }

future<> outer() { co_await inner(); }

future<> both() { co_await coroutine::all(sleep(1h), sleep(2h)); }

}  // namespace

TEST_CASE("a coroutine waits at the line of its co_await", "[dump][coroutine]") {
    test_shard shard;
    auto one = outer();
    auto two = both();
    const std::string text = described();
    CHECK(has(text,
              line_of(1, "sleep <- " + place(line_of_await) + " <- " + place(line_of_await + 2))));
    CHECK(has(text, line_of(1, "sleep <- " + place(line_of_await + 4) + " <- " +
                                   place(line_of_await + 4))));
    shard.run([&] { return when_all_succeed(std::move(one), std::move(two)); });
    CHECK(described() == "miniss: shard 0: 0 tasks wait, 0 are ready to run\n");
}

TEST_CASE("work goes on to be told of when nobody waits for it any more", "[dump]") {
    test_shard shard;
    auto limited = with_timeout(1ms, sleep(1h).then([] {}, code_location::named("work")));
    CHECK(has(described(), "sleep <- work <- with_timeout"));
    shard.run([&limited] {
        return limited.then_wrapped([](future<> ended) { ended.ignore_ready_future(); });
    });
    CHECK(has(described(), "sleep <- work <- with_timeout"));  // The work goes on.
}

TEST_CASE("a dump tells what is held of the memory of tasks, for each size", "[dump]") {
    const lists_keep some(4);
    test_shard shard;
    internal::free_task_memory(internal::allocate_task_memory(1000), 1000);
    void* const held = internal::allocate_task_memory(1000);
    CHECK(has(describe_pools(*this_shard),
              "miniss: shard 0: blocks of task memory of 1024 bytes: 1 held, 1 at most; 2 taken, 1 "
              "given back; 1 times there was none to spare, 0 times somebody waited for one\n"));
    internal::free_task_memory(held, 1000);
}

TEST_CASE("dump_tasks() prints the same to stderr", "[dump]") {
    test_shard shard;
    auto end = sleep(1h).then([] {});
    captured_stderr captured;
    dump_tasks();
    CHECK(captured.take() == described() + describe_pools(*this_shard));
    shard.run([&end] { return std::move(end); });
}
