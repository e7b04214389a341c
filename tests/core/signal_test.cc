// Signals that the test sends to itself, on the real backends.
#include <miniss/core/signal.hh>

#include <csignal>
#include <optional>
#include <string>
#include <system_error>

#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/net/real_shard.hh>

using namespace miniss;

namespace {

bool is_default(int number) {
    struct sigaction now {};
    ::sigaction(number, nullptr, &now);
    return now.sa_handler == SIG_DFL;
}

template <typename Func>
int errno_of(Func&& func) {
    try {
        func();
    } catch (const std::system_error& error) {
        return error.code().value();
    }
    return 0;
}

}  // namespace

TEST_CASE("signal::wait_for() gives the number of the one that came", "[signal]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto got = signal::wait_for({SIGUSR1, SIGUSR2});
    CHECK_FALSE(shard.run([] { return make_ready_future<bool>(is_default(SIGUSR2)); }));
    ::raise(SIGUSR2);
    shard.run_until([&got] { return got.available(); });
    CHECK(got.get() == SIGUSR2);
}

TEST_CASE("once a signal has come, all do again what they did before", "[signal]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto got = signal::wait_for({SIGUSR1, SIGUSR2});
    ::raise(SIGUSR1);
    shard.run_until([&got] { return got.available(); });
    CHECK(got.get() == SIGUSR1);
    CHECK(is_default(SIGUSR1));
    CHECK(is_default(SIGUSR2));
}

TEST_CASE("several can wait at once, but for different signals", "[signal]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto first = signal::wait_for({SIGUSR1});
    auto second = signal::wait_for({SIGUSR2});
    auto third = signal::wait_for({SIGURG, SIGUSR2});
    CHECK(errno_of([&third] { third.get(); }) == EBUSY);
    CHECK(is_default(SIGURG));  // What could not be had is given back.
    ::raise(SIGUSR2);
    shard.run_until([&second] { return second.available(); });
    CHECK(second.get() == SIGUSR2);
    CHECK_FALSE(first.available());
    ::raise(SIGUSR1);
    shard.run_until([&first] { return first.available(); });
    CHECK(first.get() == SIGUSR1);
}

TEST_CASE("what is no signal that can be caught is an error", "[signal]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    for (const int number : {0, -1, 65, SIGKILL}) {
        CHECK(errno_of([number] { signal::wait_for({number}).get(); }) == EINVAL);
        CHECK(errno_of([number] { handle_signal(number, [] {}); }) == EINVAL);
    }
}

TEST_CASE("a stopping shard ends the wait for signals and gives them back", "[signal]") {
    std::optional<future<int>> waiting;
    {
        real_shard shard(GENERATE(from_range(backends_to_test())));
        waiting = signal::wait_for({SIGUSR1});
        handle_signal(SIGUSR2, [] {});
        CHECK_FALSE(is_default(SIGUSR1));
        CHECK_FALSE(is_default(SIGUSR2));
        shard.stop();
        CHECK(errno_of([&waiting] { waiting->get(); }) == ECANCELED);
    }
    CHECK(is_default(SIGUSR1));
    CHECK(is_default(SIGUSR2));
}

TEST_CASE("who has lost interest in signals hears nothing of the end of the shard", "[signal]") {
    const expect_ignored_failures none(0);
    real_shard shard(GENERATE(from_range(backends_to_test())));
    (void)signal::wait_for({SIGUSR1});
    shard.stop();
    CHECK(is_default(SIGUSR1));
}

TEST_CASE("handle_signal() calls its handler for every signal, on the shard", "[signal]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    std::string events;
    handle_signal(SIGUSR1, [&events] { events += "one "; });
    handle_signal(SIGUSR2, [&events] { events += "two "; });
    ::raise(SIGUSR1);
    CHECK(events.empty());  // Not within the system's handler.
    shard.run_until([&events] { return events == "one "; });
    ::raise(SIGUSR2);
    shard.run_until([&events] { return events == "one two "; });
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);
    shard.run_until([&events] { return events == "one two one one "; });
}

TEST_CASE("what a handler throws is reported, and the handler stays", "[signal]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const captured_stderr quiet;
    const expect_ignored_failures both(2);
    int call_count = 0;
    handle_signal(SIGUSR1, [&call_count] {
        ++call_count;
        throw std::runtime_error("no");
    });
    ::raise(SIGUSR1);
    shard.run_until([&call_count] { return call_count == 1; });
    ::raise(SIGUSR1);
    shard.run_until([&call_count] { return call_count == 2; });
}
