// Bounded queues and pipes: nothing is lost, nothing overtakes, and both ends hear of the end.
#include <miniss/core/queue.hh>

#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/do_with.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/pipe.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("a queue is first in, first out, and takes no more than its size", "[queue]") {
    test_shard shard;
    queue<std::unique_ptr<int>> items(2);
    CHECK(items.empty());
    CHECK(items.push(std::make_unique<int>(1)));
    CHECK(items.push(std::make_unique<int>(2)));
    CHECK(items.full());
    auto third = std::make_unique<int>(3);
    CHECK(!items.push(std::move(third)));
    CHECK(third != nullptr);
    CHECK(items.size() == 2);
    CHECK(*items.front() == 1);
    CHECK(*items.pop() == 1);
    CHECK(*items.pop() == 2);
    CHECK(items.empty());
}

TEST_CASE("a producer and a consumer pass on everything, in order, within the bound", "[queue]") {
    test_shard shard(GENERATE(range(0U, 50U)));
    queue<int> items(3);
    std::vector<int> sent(50);
    std::iota(sent.begin(), sent.end(), 0);
    std::vector<int> received;
    shard.run([&] {
        auto& random = shard.world().random();
        const auto pause = [&random] { return sleep(random.delay(2ms)); };
        auto producing = do_for_each(sent, [&, pause](int item) {
            return pause().then([&items, item] { return items.push_eventually(item); });
        });
        auto consuming = repeat([&, pause] {
            return items.pop_eventually()
                .then([&](int item) {
                    CHECK(items.size() <= 3);
                    received.push_back(item);
                    return pause();
                })
                .then([&] {
                    return received.size() == sent.size() ? stop_iteration::yes
                                                          : stop_iteration::no;
                });
        });
        return when_all_succeed(std::move(producing), std::move(consuming));
    });
    CHECK(received == sent);
}

TEST_CASE("several may wait at each end of a queue, and each item goes to one of them", "[queue]") {
    test_shard shard(GENERATE(range(0U, 50U)));
    queue<int> items(2);
    std::vector<int> jobs(30, 1);
    int sum = 0;
    shard.run([&] {
        return when_all_succeed(
            parallel_for_each(jobs, [&](int job) { return items.push_eventually(job); }),
            parallel_for_each(jobs, [&](int) {
                return items.pop_eventually().then([&sum](int item) { sum += item; });
            }));
    });
    CHECK(sum == 30);
    CHECK(items.empty());
}

TEST_CASE("not_empty() and not_full() are ready when there is an item, or a place", "[queue]") {
    test_shard shard;
    queue<int> items(1);
    CHECK(items.not_full().available());
    auto item = items.not_empty();
    CHECK(!item.available());
    CHECK(items.has_blocked_consumer());
    items.push(1);
    CHECK(item.available());
    CHECK(items.not_empty().available());
    auto place = items.not_full();
    CHECK(!place.available());
    items.pop();
    CHECK(place.available());
}

TEST_CASE("waiting at a queue ends by time or by an abort", "[queue]") {
    test_shard shard(GENERATE(range(0U, 20U)));
    queue<int> items(1);
    abort_source source;
    CHECK_THROWS_AS(shard.run([&] { return items.pop_eventually(1s); }), timed_out_error);
    auto reading = items.pop_eventually(source);
    items.push(1);
    shard.run_until_rest();
    CHECK(reading.get() == 1);
    items.push(2);
    CHECK_THROWS_AS(shard.run([&] { return items.push_eventually(3, 1s); }), timed_out_error);
    auto writing = items.push_eventually(4, source);
    source.request_abort();
    shard.run_until_rest();
    CHECK_THROWS_AS(writing.get(), abort_requested_exception);
    CHECK(items.size() == 1);
    CHECK(items.pop() == 2);
}

TEST_CASE("abort() drops what is in a queue and fails both ends, now and later", "[queue]") {
    test_shard shard;
    queue<int> empty(1);
    queue<int> full(1);
    full.push(1);
    auto reading = empty.pop_eventually();
    auto writing = full.push_eventually(2);
    for (auto* each : {&empty, &full}) {
        each->abort(std::make_exception_ptr(std::out_of_range("x")));
    }
    shard.run_until_rest();
    CHECK_THROWS_AS(reading.get(), std::out_of_range);
    CHECK_THROWS_AS(writing.get(), std::out_of_range);
    CHECK(full.empty());
    CHECK(!full.push(3));
    CHECK_THROWS_AS(full.push_eventually(3).get(), std::out_of_range);
    CHECK_THROWS_AS(full.pop_eventually().get(), std::out_of_range);
    CHECK_THROWS_AS(full.not_empty().get(), std::out_of_range);
    CHECK_THROWS_AS(full.not_full().get(), std::out_of_range);
    CHECK_THROWS_AS(full.consume([](int) { return true; }), std::out_of_range);
}

TEST_CASE("consume() takes items as long as it is told to", "[queue]") {
    test_shard shard;
    queue<int> items(5);
    for (int item : {1, 2, 3, 4}) {
        items.push(item);
    }
    int sum = 0;
    items.consume([&sum](int item) {
        sum += item;
        return item != 2;
    });
    CHECK(sum == 3);
    CHECK(items.front() == 3);
    items.consume([](int) { return true; });
    CHECK(items.empty());
}

TEST_CASE("a queue that grows lets producers go on", "[queue]") {
    test_shard shard;
    queue<int> items(1);
    items.push(1);
    auto second = items.push_eventually(2);
    auto third = items.push_eventually(3);
    auto fourth = items.push_eventually(4);
    items.set_max_size(3);
    shard.run_until_rest();
    CHECK((second.available() && third.available() && !fourth.available()));
    CHECK(items.size() == 3);
    items.pop();
    shard.run_until_rest();
    CHECK(fourth.available());
}

TEST_CASE("a queue that dies fails its waiters", "[queue]") {
    test_shard shard;
    auto items = std::make_unique<queue<int>>(1);
    auto reading = items->pop_eventually();
    auto timed = items->not_empty(1h);
    items.reset();
    shard.run_until_rest();
    CHECK_THROWS_AS(reading.get(), broken_promise);
    CHECK_THROWS_AS(timed.get(), broken_promise);
}

TEST_CASE("a pipe ends for the reader after the last item, when the writer is gone", "[pipe]") {
    test_shard shard(GENERATE(range(0U, 50U)));
    std::string received;
    shard.run([&] {
        miniss::pipe<char> p(2);
        auto writing = do_with(
            std::move(p.writer), std::string("abcdefgh"),
            [](pipe_writer<char>& writer, std::string& text) {
                return do_for_each(text, [&writer](char letter) { return writer.write(letter); });
            });
        auto reading = do_with(std::move(p.reader), [&](pipe_reader<char>& reader) {
            return repeat([&] {
                       return reader.read().then([&](std::optional<char> letter) {
                           received += letter.value_or('.');
                           return letter ? stop_iteration::no : stop_iteration::yes;
                       });
                   })
                .then([&reader] {
                    return reader.read().then([](std::optional<char> none) { CHECK(!none); });
                });
        });
        return when_all_succeed(std::move(writing), std::move(reading));
    });
    CHECK(received == "abcdefgh.");
}

TEST_CASE("a reader that waits hears of the writer's end", "[pipe]") {
    test_shard shard;
    miniss::pipe<int> p(1);
    auto reading = p.reader.read();
    {
        auto dies = std::move(p.writer);
        CHECK(!reading.available());
    }
    shard.run_until_rest();
    CHECK(!reading.get());
}

TEST_CASE("a writer whose reader is gone gets broken_pipe_exception", "[pipe]") {
    test_shard shard;
    miniss::pipe<int> p(1);
    p.writer.write(1).get();
    auto waiting = p.writer.write(2);
    CHECK(!waiting.available());
    { auto dies = std::move(p.reader); }
    shard.run_until_rest();
    CHECK_THROWS_AS(waiting.get(), broken_pipe_exception);
    CHECK_THROWS_AS(p.writer.write(3).get(), broken_pipe_exception);
}

TEST_CASE("ends of pipes can be assigned, which closes the one before", "[pipe]") {
    test_shard shard;
    miniss::pipe<int> first(1);
    miniss::pipe<int> second(1);
    first.writer = std::move(second.writer);
    first.writer.write(5).get();
    CHECK(!first.reader.read().get());
    CHECK(second.reader.read().get() == 5);
    second.reader = std::move(first.reader);
    CHECK_THROWS_AS(first.writer.write(6).get(), broken_pipe_exception);
}

TEST_CASE("what was unread is read again, one item at most", "[pipe]") {
    test_shard shard;
    miniss::pipe<int> p(2);
    p.writer.write(1).get();
    p.writer.write(2).get();
    p.reader.unread(p.reader.read().get().value());
    CHECK_THROWS_AS(p.reader.unread(3), unread_overflow_exception);
    CHECK(p.reader.read().get() == 1);
    CHECK(p.reader.read().get() == 2);
    { auto dies = std::move(p.writer); }
    p.reader.unread(4);
    CHECK(p.reader.read().get() == 4);
    CHECK(!p.reader.read().get());
}

TEST_CASE("reads and writes of a pipe end by time or by an abort", "[pipe]") {
    test_shard shard;
    miniss::pipe<int> p(1);
    CHECK_THROWS_AS(shard.run([&] { return p.reader.read(1s); }), timed_out_error);
    p.writer.write(1).get();
    CHECK_THROWS_AS(shard.run([&] { return p.writer.write(2, 1s); }), timed_out_error);
    CHECK(p.reader.read().get() == 1);
    abort_source source;
    auto reading = p.reader.read(source);
    source.request_abort();
    shard.run_until_rest();
    CHECK_THROWS_AS(reading.get(), abort_requested_exception);
}
