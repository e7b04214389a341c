// What timers cost, with one, a thousand and a million of them armed, and what sleeping costs.
#include <miniss/timer/timer.hh>

#include <memory>
#include <vector>

#include <miniss/bench/shard.hh>
#include <miniss/core/loop.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace miniss::bench;
using namespace std::chrono_literals;

namespace {

using count = std::uint64_t;

constexpr std::size_t thousand = 1000;
constexpr std::size_t million = 1000 * thousand;

// Delays such as requests and connections have, in no order: from 1 ms to about a minute.
class delays {
    std::uint64_t _state = 1;

public:
    static constexpr auto longest = 1ms + std::chrono::nanoseconds(1LL << 36);

    std::chrono::nanoseconds next() noexcept {
        _state = _state * 6364136223846793005U + 1442695040888963407U;  // Knuth's generator.
        return 1ms + std::chrono::nanoseconds(_state >> 28);
    }
};

// Cancels one timer of many and arms it again, and then the next one: like a server with a timer
// for each of its connections. None fires.
template <std::size_t Size>
count arm_cancel(trial& each) {
    delays delay;
    std::vector<timer<>> timers(Size);
    const auto start = steady_clock::now() + 1h;
    for (timer<>& one : timers) {
        one.arm(start + delay.next());
    }
    std::size_t position = 0;
    each.start();
    const count cancelled_count = each.sum([&] {
        timer<>& one = timers[position];
        position = position + 1 == Size ? 0 : position + 1;
        const bool cancelled = one.cancel();
        one.arm(start + delay.next());
        return count{cancelled};
    });
    each.stop();
    return cancelled_count;
}

// The same for one, with delays from the present.
count arm_cancel_delay(trial& each) {
    delays delay;
    timer<> one;
    return each.sum([&] {
        one.arm(delay.next());
        return count{one.cancel()};
    });
}

// Arms one timer and fires it, without a turn of the reactor.
count arm_fire(trial& each) {
    delays delay;
    count fired_count = 0;
    timer<manual_clock> one([&fired_count] { ++fired_count; });
    for (count i = 0; i < each.rounds; ++i) {
        const auto time = delay.next();
        one.arm(manual_clock::now() + time);
        manual_clock::advance(time);
        local_timers().poll();
    }
    return fired_count;
}

// Timers that are armed, and fire, all at a time.
class crowd {
    delays _delay;
    std::vector<timer<manual_clock>> _timers;
    std::size_t _left_count = 0;
    promise<> _all_fired;

public:
    explicit crowd(std::size_t size) : _timers(size) {
        for (auto& one : _timers) {
            one.set_callback([this] { fired(); });
        }
    }

    // Ready when the last one has fired.
    future<> arm_fire() {
        _left_count = _timers.size();
        _all_fired = promise<>();
        const auto now = manual_clock::now();
        for (auto& one : _timers) {
            one.arm(now + _delay.next());
        }
        manual_clock::advance(delays::longest);
        return _all_fired.get_future();
    }

private:
    void fired() {
        if (--_left_count == 0) {
            _all_fired.set_value();
        }
    }
};

template <std::size_t Size>
future<count> arm_fire_all(trial& each) {
    auto timers = std::make_unique<crowd>(Size);
    crowd& all = *timers;
    each.start();
    return run_relay(each,
                     [&all](auto& rounds) {
                         (void)all.arm_fire().then([&rounds] { rounds.next(Size); });
                     })
        .then([&each, timers = std::move(timers)](count fired_count) {
            each.stop();
            return fired_count;
        });
}

// A timer for the present moment: what a whole turn of the reactor costs.
future<count> sleep_zero(trial& each) {
    return run_relay(each, [](auto& rounds) {
        (void)sleep(0ns).then([&rounds] { rounds.next(hidden(count{1})); });
    });
}

}  // namespace

int main(int argc, char** argv) {
    return run_benchmarks(argc, argv,
                          {
                              {"arm_cancel", on_shard<arm_cancel<1>>},
                              {"arm_cancel_of_1k", on_shard<arm_cancel<thousand>>},
                              {"arm_cancel_of_1M", on_shard<arm_cancel<million>>},
                              {"arm_cancel_delay", on_shard<arm_cancel_delay>},
                              {"arm_fire", on_shard<arm_fire>},
                              {"arm_fire_of_1k", on_shard<arm_fire_all<thousand>>, thousand},
                              {"arm_fire_of_1M", on_shard<arm_fire_all<million>>, million},
                              {"sleep_zero", on_shard<sleep_zero>},
                          });
}
