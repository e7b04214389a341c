// What futures, chains and the small tools around them cost.
#include <miniss/core/future.hh>

#include <exception>
#include <utility>

#include <miniss/bench/shard.hh>
#include <miniss/core/gate.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/core/when_all.hh>

using namespace miniss;
using namespace miniss::bench;

namespace {

using count = std::uint64_t;
constexpr count one = 1;

struct benchmark_error : std::exception {};

// -- Ready futures -------------------------------------------------------------------------------

count ready_get(trial& each) {
    return each.sum([] { return make_ready_future<count>(hidden(one)).get(); });
}

count ready_then(trial& each) {
    return each.sum([] {
        return make_ready_future<count>(hidden(one)).then([](count x) { return hidden(x); }).get();
    });
}

count ready_then_future(trial& each) {
    return each.sum([] {
        return make_ready_future<count>(hidden(one))
            .then([](count x) { return make_ready_future<count>(hidden(x)); })
            .get();
    });
}

template <int Length>
future<count> add_thens(future<count>&& first) {
    if constexpr (Length == 0) {
        return std::move(first);
    } else {
        return add_thens<Length - 1>(first.then([](count x) { return hidden(x); }));
    }
}

count ready_ten_thens(trial& each) {
    return each.sum([] { return 10 * add_thens<10>(make_ready_future<count>(hidden(one))).get(); });
}

count do_with_ready(trial& each) {
    return each.sum([] { return do_with(hidden(one), [](count& x) { return hidden(x); }).get(); });
}

count when_all_two_ready(trial& each) {
    return each.sum([] {
        auto [a, b] = when_all(make_ready_future<count>(hidden(count{0})),
                               make_ready_future<count>(hidden(one)))
                          .get();
        return a.get() + b.get();
    });
}

// -- Pending futures -----------------------------------------------------------------------------

future<count> pending_then(trial& each) {
    return run_relay(each, [](auto& rounds) {
        promise<count> source;
        (void)source.get_future().then([&rounds](count x) { rounds.next(x); });
        source.set_value(hidden(one));
    });
}

future<count> pending_ten_thens(trial& each) {
    return run_relay(each, [](auto& rounds) {
        promise<count> source;
        (void)add_thens<9>(source.get_future()).then([&rounds](count x) { rounds.next(10 * x); });
        source.set_value(hidden(one));
    });
}

future<count> when_all_two_pending(trial& each) {
    return run_relay(each, [](auto& rounds) {
        promise<count> a;
        promise<count> b;
        (void)when_all(a.get_future(), b.get_future()).then([&rounds](auto&& both) {
            rounds.next(std::get<0>(both).get() + std::get<1>(both).get());
        });
        a.set_value(hidden(count{0}));
        b.set_value(hidden(one));
    });
}

// -- Errors --------------------------------------------------------------------------------------

count failed_prebuilt(trial& each) {
    const auto error = std::make_exception_ptr(benchmark_error());
    return each.sum([&error] {
        return make_exception_future<count>(error)
            .handle_exception([](const std::exception_ptr&) { return hidden(one); })
            .get();
    });
}

count failed_made(trial& each) {
    return each.sum([] {
        return make_exception_future<count>(benchmark_error())
            .handle_exception([](const std::exception_ptr&) { return hidden(one); })
            .get();
    });
}

count failed_thrown(trial& each) {
    return each.sum([] {
        return make_ready_future<count>(hidden(one))
            .then([](count) -> count { throw benchmark_error(); })
            .handle_exception([](const std::exception_ptr&) { return hidden(one); })
            .get();
    });
}

// -- Semaphore and gate --------------------------------------------------------------------------

count semaphore_wait_signal(trial& each) {
    semaphore units(1);
    return each.sum([&units] {
        semaphore& used = *hidden(&units);
        used.wait().get();
        const count inside = hidden(one);
        used.signal();
        return inside;
    });
}

count semaphore_get_units(trial& each) {
    semaphore units(1);
    return each.sum([&units] { return get_units(*hidden(&units), 1).get().count(); });
}

count semaphore_with(trial& each) {
    semaphore units(1);
    return each.sum(
        [&units] { return with_semaphore(*hidden(&units), 1, [] { return hidden(one); }).get(); });
}

count gate_enter_leave(trial& each) {
    gate work;
    return each.sum([&work] {
        gate& used = *hidden(&work);
        used.enter();
        const count inside = hidden(one);
        used.leave();
        return inside;
    });
}

count gate_hold(trial& each) {
    gate work;
    return each.sum([&work] {
        const auto inside = hidden(&work)->hold();
        return hidden(one);
    });
}

count gate_with(trial& each) {
    gate work;
    return each.sum(
        [&work] { return with_gate(*hidden(&work), [] { return hidden(one); }).get(); });
}

// -- Tasks ---------------------------------------------------------------------------------------

class self_scheduling final : public task {
    count _left_count;
    count _sum = 0;
    promise<count> _done;

public:
    explicit self_scheduling(const trial& each) noexcept : _left_count(each.rounds) {}

    future<count> run() {
        schedule(*this);
        return _done.get_future();
    }

    void run_and_dispose() noexcept override {
        _sum += hidden(one);
        if (--_left_count != 0) {
            schedule(*this);
        } else {
            _done.set_value(_sum);
        }
    }
};

future<count> task_schedule_run(trial& each) {
    return do_with(self_scheduling(each), [](self_scheduling& work) { return work.run(); });
}

}  // namespace

int main(int argc, char** argv) {
    return run_benchmarks(argc, argv,
                          {
                              {"ready_get", on_shard<ready_get>},
                              {"ready_then", on_shard<ready_then>},
                              {"ready_then_future", on_shard<ready_then_future>},
                              {"ready_ten_thens", on_shard<ready_ten_thens>, 10},
                              {"do_with_ready", on_shard<do_with_ready>},
                              {"when_all_two_ready", on_shard<when_all_two_ready>},
                              {"pending_then", on_shard<pending_then>},
                              {"pending_ten_thens", on_shard<pending_ten_thens>, 10},
                              {"when_all_two_pending", on_shard<when_all_two_pending>},
                              {"failed_prebuilt", on_shard<failed_prebuilt>},
                              {"failed_made", on_shard<failed_made>},
                              {"failed_thrown", on_shard<failed_thrown>},
                              {"semaphore_wait_signal", on_shard<semaphore_wait_signal>},
                              {"semaphore_get_units", on_shard<semaphore_get_units>},
                              {"semaphore_with", on_shard<semaphore_with>},
                              {"gate_enter_leave", on_shard<gate_enter_leave>},
                              {"gate_hold", on_shard<gate_hold>},
                              {"gate_with", on_shard<gate_with>},
                              {"task_schedule_run", on_shard<task_schedule_run>},
                          });
}
