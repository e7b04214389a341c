// What a turn of the event loop does and in which order; when it preempts, looks again and sleeps.
#include <miniss/core/reactor.hh>

#include <algorithm>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/scripted_backend.hh>
#include <miniss/tests/dies.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// A task that calls a function and deletes itself.
template <typename Func>
class calling_task final : public task {
    Func _func;

public:
    explicit calling_task(Func func) : _func(std::move(func)) {}
    void run_and_dispose() noexcept override {
        _func();
        delete this;
    }
};

template <typename Func>
void queue(reactor& loop, Func func) {
    loop.schedule(*new calling_task<Func>(std::move(func)));
}

class scripted_poller final : public poller {
public:
    std::function<bool()> on_poll = [] { return false; };
    std::function<bool()> on_prepare = [] { return true; };
    std::function<void()> on_woke_up = [] {};
    std::function<void()> on_stop = [] {};
    steady_clock::time_point deadline = steady_clock::time_point::max();

    bool poll() noexcept override { return on_poll(); }
    steady_clock::time_point next_deadline() noexcept override { return deadline; }
    bool prepare_to_sleep() noexcept override { return on_prepare(); }
    void woke_up() noexcept override { on_woke_up(); }
    void stop() noexcept override { on_stop(); }
};

struct scripted_shard {
    scripted_backend backend;
    shard_context context{3};
    reactor loop;

    explicit scripted_shard(reactor_options options = {}) : loop(context, backend, options) {}
};

reactor_options with_seed(std::uint64_t seed) {
    reactor_options options;
    options.shuffle_seed = seed;
    return options;
}

reactor_options with_idle_poll(std::chrono::nanoseconds time) {
    reactor_options options;
    options.idle_poll_time = time;
    return options;
}

}  // namespace

TEST_CASE("a turn runs tasks, then asks the pollers, then the backend", "[reactor]") {
    scripted_shard shard;
    std::string trace;
    scripted_poller first;
    scripted_poller second;
    first.on_poll = [&] { return trace += 'p', false; };
    second.on_poll = [&] { return trace += 'q', false; };
    shard.backend.on_poll = [&] { return trace += 'b', false; };
    shard.loop.add_poller(first);
    shard.loop.add_poller(second);
    queue(shard.loop, [&] { trace += 't'; });
    CHECK(shard.loop.run_one_turn());
    CHECK(trace == "tpqb");
    CHECK(!shard.loop.run_one_turn());
    shard.loop.remove_poller(first);
    trace.clear();
    shard.loop.run_one_turn();
    CHECK(trace == "qb");
}

TEST_CASE("a turn tells whether anything happened", "[reactor]") {
    scripted_shard shard;
    scripted_poller source;
    shard.loop.add_poller(source);
    CHECK(!shard.loop.run_one_turn());
    source.on_poll = [] { return true; };
    CHECK(shard.loop.run_one_turn());
    source.on_poll = [] { return false; };
    shard.backend.on_poll = [] { return true; };
    CHECK(shard.loop.run_one_turn());
    shard.backend.on_poll = [&] {
        queue(shard.loop, [] {});
        return false;
    };
    CHECK(shard.loop.run_one_turn());
    shard.backend.on_poll = [] { return false; };
    CHECK(shard.loop.run_one_turn());
    CHECK(!shard.loop.run_one_turn());
}

TEST_CASE("tasks run first come first served, those that they queue in the same turn",
          "[reactor]") {
    scripted_shard shard;
    std::string trace;
    queue(shard.loop, [&] {
        trace += 'a';
        queue(shard.loop, [&] { trace += 'c'; });
    });
    queue(shard.loop, [&] { trace += 'b'; });
    shard.loop.run_one_turn();
    CHECK(trace == "abc");
}

TEST_CASE("during a turn the thread plays the shard, and afterwards what it played before",
          "[reactor]") {
    scripted_shard shard;
    shard_context other{9};
    this_shard = &other;
    queue(shard.loop, [&] {
        CHECK(this_shard_id() == 3);
        CHECK(&engine() == &shard.loop);
    });
    shard.loop.run_one_turn();
    CHECK(this_shard_id() == 9);
    this_shard = nullptr;
    shard.loop.run_one_turn();
    CHECK(this_shard == nullptr);
}

TEST_CASE("time stands still within a turn", "[reactor]") {
    scripted_shard shard;
    shard.backend.time_of_a_look = 1us;
    steady_clock::time_point first;
    queue(shard.loop, [&] { first = shard.loop.now(); });
    queue(shard.loop, [&] { CHECK(shard.loop.now() == first); });
    shard.loop.run_one_turn();
    queue(shard.loop, [&] { CHECK(shard.loop.now() > first); });
    shard.loop.run_one_turn();
}

TEST_CASE("when the time slice is over the rest of the tasks waits for the next turn",
          "[reactor]") {
    scripted_shard shard;
    int run_count = 0;
    int polls_before_last = -1;
    for (int i = 0; i < 100; ++i) {
        queue(shard.loop, [&] {
            shard.backend.time += 100us;
            if (++run_count == 100) {
                polls_before_last = static_cast<int>(shard.backend.poll_count);
            }
        });
    }
    CHECK(shard.loop.run_one_turn());
    CHECK(run_count >= 5);  // A slice is 500 us.
    CHECK(run_count <= 16);
    while (shard.loop.run_one_turn()) {}
    CHECK(run_count == 100);
    CHECK(polls_before_last >= 6);
}

TEST_CASE("need_preempt() reads the clock only now and then", "[reactor][cost]") {
    scripted_shard shard;
    queue(shard.loop, [&] {
        shard.backend.look_count = 0;
        int yes_count = 0;
        for (int i = 0; i < 1'000'000; ++i) {
            yes_count += need_preempt() ? 1 : 0;
        }
        CHECK(yes_count == 0);
        CHECK(shard.backend.look_count < 1100);
    });
    shard.loop.run_one_turn();
}

TEST_CASE("once the slice is over need_preempt() says so until the next turn", "[reactor]") {
    scripted_shard shard;
    queue(shard.loop, [&] {
        while (!need_preempt()) {
            shard.backend.time += 100us;
        }
        for (int i = 0; i < 100; ++i) {
            CHECK(need_preempt());
        }
    });
    shard.loop.run_one_turn();
    queue(shard.loop, [] { CHECK(!need_preempt()); });
    shard.loop.run_one_turn();
}

TEST_CASE("a seed draws the order of ready tasks and the moments of preemption, repeatably",
          "[reactor]") {
    const auto trace_of = [](std::uint64_t seed) {
        scripted_shard shard(with_seed(seed));
        std::string trace;
        for (char letter = 'a'; letter <= 'p'; ++letter) {
            queue(shard.loop, [&trace, letter] { trace += letter; });
        }
        while (shard.loop.run_one_turn()) {
            trace += '.';
        }
        return trace;
    };
    CHECK(trace_of(0) == "abcdefghijklmnop.");
    for (std::uint64_t seed = 1; seed < 20; ++seed) {
        const std::string trace = trace_of(seed);
        CHECK(trace == trace_of(seed));
        CHECK(trace != trace_of(seed + 1));
        std::string letters;
        std::copy_if(trace.begin(), trace.end(), std::back_inserter(letters),
                     [](char c) { return c != '.'; });
        std::sort(letters.begin(), letters.end());
        CHECK(letters == "abcdefghijklmnop");
    }
}

TEST_CASE("run() sleeps until the earliest deadline when there is nothing to do", "[reactor]") {
    scripted_shard shard;
    scripted_poller first;
    scripted_poller second;
    first.deadline = shard.backend.time + 2s;
    second.deadline = shard.backend.time + 1s;
    shard.loop.add_poller(first);
    shard.loop.add_poller(second);
    CHECK(shard.loop.next_deadline() == second.deadline);
    steady_clock::time_point waited_for;
    shard.backend.on_wait = [&](steady_clock::time_point deadline) {
        waited_for = deadline;
        shard.loop.stop();
    };
    shard.loop.run();
    CHECK(waited_for == second.deadline);
    CHECK(shard.backend.wait_count == 1);
}

TEST_CASE("run() never sleeps while tasks are ready or a poller has found work", "[reactor]") {
    scripted_shard shard;
    scripted_poller source;
    shard.loop.add_poller(source);
    const bool by_tasks = GENERATE(false, true);
    int left = 100;
    source.on_poll = [&] {
        if (left == 0) {
            return false;
        }
        --left;
        if (by_tasks) {
            queue(shard.loop, [] {});
        }
        return !by_tasks;
    };
    shard.backend.on_wait = [&](steady_clock::time_point) {
        CHECK(left == 0);
        shard.loop.stop();
    };
    shard.loop.run();
    CHECK(left == 0);
}

TEST_CASE("a poller keeps the shard awake by saying no; all are told when it is awake again",
          "[reactor]") {
    scripted_shard shard;
    scripted_poller first;
    scripted_poller second;
    std::string trace;
    bool willing = false;
    first.on_prepare = [&] { return trace += 'a', true; };
    second.on_prepare = [&] { return trace += 'b', willing; };
    first.on_woke_up = [&] { trace += 'A'; };
    second.on_woke_up = [&] {
        trace += 'B';
        willing = true;
    };
    shard.backend.on_poll = [&] { return trace += 'p', false; };
    shard.backend.on_wait = [&](steady_clock::time_point) {
        trace += 'w';
        shard.loop.stop();
    };
    shard.loop.add_poller(first);
    shard.loop.add_poller(second);
    shard.loop.run();
    CHECK(trace == "abpABabwAB");
}

TEST_CASE("run() ends when it was stopped, has run what was ready and the kernel has answered",
          "[reactor]") {
    scripted_shard shard;
    scripted_poller source;
    std::string trace;
    shard.loop.add_poller(source);
    source.on_stop = [&] {
        trace += 's';
        queue(shard.loop, [&] { trace += 'c'; });
    };
    queue(shard.loop, [&] {
        trace += 'a';
        shard.loop.stop();
        queue(shard.loop, [&] { trace += 'b'; });
    });
    shard.backend.in_flight_count = 3;
    shard.loop.run();
    CHECK(trace == "absc");
    CHECK(shard.backend.in_flight_count == 0);
    CHECK(shard.backend.cancel_count == 3);
    CHECK(shard.backend.wait_count == 0);
}

TEST_CASE("misuse of a reactor is a bug", "[reactor]") {
    CHECK(dies_saying("_ready.empty()", [] {
        scripted_shard shard;
        queue(shard.loop, [] {});
    }));
    CHECK(dies_saying("this_shard != nullptr", [] { engine(); }));
}

namespace {

// Lets a shard live through waits of the given lengths; gives the number of looks at the backend
// before each sleep.
std::vector<std::size_t> looks_before_sleep(std::chrono::nanoseconds idle_poll_time,
                                            const std::vector<std::chrono::nanoseconds>& waits) {
    scripted_shard shard(with_idle_poll(idle_poll_time));
    shard.backend.time_of_a_look = 500ns;
    std::vector<std::size_t> looks;
    std::size_t polls_before = 0;
    auto arrival = shard.backend.time + waits[0];
    // Work arrives at its moment, asleep or not.
    const auto arrive = [&] {
        looks.push_back(shard.backend.poll_count - polls_before);
        polls_before = shard.backend.poll_count;
        if (looks.size() == waits.size()) {
            shard.loop.stop();
        } else {
            arrival = shard.backend.time + waits[looks.size()];
        }
    };
    shard.backend.on_poll = [&] {
        if (shard.backend.time < arrival) {
            return false;
        }
        arrive();
        return true;
    };
    shard.backend.on_wait = [&](steady_clock::time_point) {
        shard.backend.time = std::max(shard.backend.time, arrival);
        arrive();
    };
    shard.loop.run();
    return looks;
}

bool ends_with_looking(const std::vector<std::size_t>& looks) { return looks.back() > 3; }

}  // namespace

TEST_CASE("a shard whose waits are long sleeps at once", "[reactor][sleep]") {
    const std::vector<std::chrono::nanoseconds> waits(30, 1ms);
    CHECK(looks_before_sleep(20us, waits) == std::vector<std::size_t>(30, 0));
}

TEST_CASE("a shard whose waits are short looks again before it sleeps", "[reactor][sleep]") {
    const std::vector<std::chrono::nanoseconds> waits(30, 3us);
    CHECK(looks_before_sleep(20us, waits).front() == 0);
    CHECK(ends_with_looking(looks_before_sleep(20us, waits)));
}

TEST_CASE("waits that are not much shorter than a look are slept through", "[reactor][sleep]") {
    std::vector<std::chrono::nanoseconds> waits(30, 4us);
    waits.insert(waits.end(), 30, 10us);
    CHECK(!ends_with_looking(looks_before_sleep(20us, waits)));
}

TEST_CASE("a shard whose waits become long stops looking after a few of them", "[reactor][sleep]") {
    std::vector<std::chrono::nanoseconds> waits(30, 5us);
    waits.insert(waits.end(), 3, 10s);
    CHECK(!ends_with_looking(looks_before_sleep(20us, waits)));
}

TEST_CASE("a shard that is stopped while it looks again does not sleep", "[reactor][sleep]") {
    scripted_shard shard(with_idle_poll(1h));
    shard.backend.time_of_a_look = 1us;
    shard.backend.on_wait = [&](steady_clock::time_point) { shard.backend.time += 1us; };
    shard.backend.on_poll = [&] {
        if (shard.backend.poll_count == 100) {
            shard.loop.stop();
        }
        return false;
    };
    shard.loop.run();
    CHECK(shard.backend.poll_count < 110);
}

TEST_CASE("with an idle_poll_time of zero a shard never looks again", "[reactor][sleep]") {
    const std::vector<std::chrono::nanoseconds> waits(30, 1us);
    CHECK(looks_before_sleep(0us, waits) == std::vector<std::size_t>(30, 0));
}
