// Runs the body of a benchmark on a shard of its own, with a real backend.
#pragma once

#include <miniss/bench/bench.hh>
#include <miniss/core/backend_choice.hh>
#include <miniss/core/do_with.hh>
#include <miniss/core/reactor.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss::bench {

// The body as a task: run once it begins, run twice it is done, and the shard stops.
template <typename Body>
class body_task final : public internal::waiting_task<std::uint64_t> {
    trial& _trial;
    Body _body;

public:
    body_task(trial& each, Body body) noexcept : _trial(each), _body(body) {}

    void run_and_dispose() noexcept override {
        if (state.pending()) {
            _trial.start();
            futurize_invoke(_body, _trial).wait_with(*this);
        } else {
            _trial.stop();
            engine().stop();
        }
    }
};

// Calls body(each) on a new shard, on the calling thread, and gives the result of its future.
template <auto Body>
std::uint64_t on_shard(trial& each) {
    static const backend_kind kind = choose_backend(backend_kind::automatic).kind;
    shard_context context;
    const auto backend = make_backend(kind);
    reactor loop(context, *backend);
    timer_service timers(loop);
    body_task task(each, Body);
    loop.schedule(task);
    loop.run();
    if (task.state.failed()) {
        std::rethrow_exception(task.state.take_error());
    }
    return task.state.take_value();
}

// Rounds that begin one another: each ends with a callback that calls next(), so that what is
// measured is the round, without a loop that waits for it.
template <typename Begin>
class relay {
    std::uint64_t _left_count;
    std::uint64_t _sum = 0;
    promise<std::uint64_t> _done;
    Begin _begin;

public:
    relay(const trial& each, Begin begin) noexcept : _left_count(each.rounds), _begin(begin) {}

    // Begins the first round; ready after the last.
    future<std::uint64_t> run() {
        auto done = _done.get_future();
        _begin(*this);
        return done;
    }

    // Ends a round, and begins another one.
    void next(std::uint64_t sum_of_round) {
        _sum += sum_of_round;
        if (--_left_count != 0) {
            _begin(*this);
        } else {
            _done.set_value(_sum);
        }
    }
};

// begin(relay) starts a round, and sees to it that something calls relay.next() when it is over.
template <typename Begin>
future<std::uint64_t> run_relay(const trial& each, Begin begin) {
    return do_with(relay<Begin>(each, begin), [](relay<Begin>& rounds) { return rounds.run(); });
}

}  // namespace miniss::bench
