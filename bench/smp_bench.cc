// What calls between shards cost, beside the bare queue and the bare wake-up under them.
#include <miniss/smp/smp.hh>

#include <array>
#include <memory>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

#include <miniss/bench/shard.hh>
#include <miniss/core/loop.hh>
#include <miniss/smp/borrowed_thread.hh>
#include <miniss/smp/mailbox.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/smp/spsc_queue.hh>
#include <miniss/smp/topology.hh>

using namespace miniss;
using namespace miniss::bench;
using namespace std::chrono_literals;

namespace {

using count = std::uint64_t;
constexpr count one = 1;

// -- Bare threads --------------------------------------------------------------------------------

// Calls there() on a thread where shard 1 would run, and here() on this one, where shard 0 would.
template <typename Here, typename There>
count on_two_threads(Here here, There there) {
    placement_request two;
    two.shard_count = 2;
    const auto places = place_shards(discover_machine(), two);
    const internal::borrowed_thread borrowed;
    bind_this_thread(places[0]);
    std::thread other([&places, &there] {
        bind_this_thread(places[1]);
        there();
    });
    const count result = here();
    other.join();
    return result;
}

// A ping and its pong for each round, and one before them that is not measured.
template <typename Ping, typename Pong>
count ping_pong(trial& each, Ping ping, Pong pong) {
    return on_two_threads(
        [&each, &ping] {
            ping();
            each.start();
            const count sum = each.sum(ping);
            each.stop();
            return sum;
        },
        [&each, &pong] {
            for (count i = 0; i <= each.rounds; ++i) {
                pong();
            }
        });
}

constexpr std::size_t queue_slots = 128;  // As in mailbox.hh.
using queue = spsc_queue<const count, queue_slots>;

// Takes that many items out, and gives their sum. Where both threads have but one CPU, the other
// one must get it for there to be any.
template <std::size_t Count>
count pop(queue& from) {
    std::array<const count*, Count> items;
    std::size_t popped_count = 0;
    for (unsigned tries = 1; popped_count != Count; ++tries) {
        popped_count += from.pop_into(std::span(items).subspan(popped_count));
        if (tries % 1024 == 0) {
            std::this_thread::yield();
        }
    }
    count sum = 0;
    for (const count* item : items) {
        sum += *item;
    }
    return sum;
}

template <std::size_t Count>
void push(queue& to) {
    for (std::size_t i = 0; i < Count; ++i) {
        while (!to.try_stage(one)) {
            std::this_thread::yield();
        }
    }
    to.publish();
}

template <std::size_t InFlight>
count spsc_round_trip(trial& each) {
    queue there;
    queue back;
    return ping_pong(
        each,
        [&there, &back] {
            push<InFlight>(there);
            return pop<InFlight>(back);
        },
        [&there, &back] {
            pop<InFlight>(there);
            push<InFlight>(back);
        });
}

class wake_up {
    int _fd = ::eventfd(0, EFD_CLOEXEC);

public:
    wake_up() {
        if (_fd < 0) {
            throw std::system_error(errno, std::system_category(), "eventfd");
        }
    }
    wake_up(const wake_up&) = delete;
    wake_up& operator=(const wake_up&) = delete;
    ~wake_up() { (void)::close(_fd); }

    void send() { (void)::eventfd_write(_fd, one); }
    count wait() {
        count sent_count = 0;
        (void)::eventfd_read(_fd, &sent_count);
        return sent_count;
    }
};

count eventfd_round_trip(trial& each) {
    wake_up there;
    wake_up back;
    return ping_pong(
        each,
        [&there, &back] {
            there.send();
            return back.wait();
        },
        [&there, &back] {
            there.wait();
            back.send();
        });
}

// -- Shards without threads ----------------------------------------------------------------------

struct lone_shard {
    shard_context context;
    reactor loop;
    mailbox mail;

    lone_shard(unsigned id, io_backend& backend, post_office& office)
        : context{.id = id}, loop(context, backend), mail(office, loop) {}
};

// What a mailbox costs in a turn without mail, with so many shards of which each has once called
// the first one.
template <unsigned ShardCount>
count idle_turn(trial& each) {
    const auto backend = make_backend(backend_kind::epoll);
    post_office office(ShardCount);
    std::vector<std::unique_ptr<lone_shard>> shards;
    for (unsigned id = 0; id < ShardCount; ++id) {
        shards.push_back(std::make_unique<lone_shard>(id, *backend, office));
    }
    const auto turn_all = [&shards](int times) {
        for (int i = 0; i < times; ++i) {
            for (const auto& shard : shards) {
                shard->loop.run_one_turn();
            }
        }
    };
    for (const auto& shard : shards) {
        this_shard = &shard->context;
        (void)smp::submit_to(0, [] {});
    }
    this_shard = nullptr;
    constexpr int until_quiet = 300;
    turn_all(until_quiet);
    this_shard = &shards[0]->context;
    each.start();
    const count turn_count =
        each.sum([&shards] { return count{shards[0]->mail.poll() ? 0U : 1U}; });
    each.stop();
    this_shard = nullptr;
    return turn_count;
}

// -- Shards --------------------------------------------------------------------------------------

// Calls shard 1 from shard 0, again and again. Both of them write to a count in turn.
future<> call_often(count& call_count, count times) {
    return do_with(count{0}, [&call_count, times](count& done_count) {
        return repeat([&call_count, &done_count, times] {
            if (done_count++ == times) {
                return make_ready_future<stop_iteration>(stop_iteration::yes);
            }
            return smp::submit_to(1, [&call_count] {
                ++call_count;
                return stop_iteration::no;
            });
        });
    });
}

// In each round as many calls at a time. Before the first, a few that are not measured: they bring
// both shards into the state, awake or asleep, that they will be in.
template <std::size_t InFlight>
count round_trips(trial& each, std::chrono::nanoseconds idle_poll_time) {
    runtime_options options;
    options.shard_count = 2;
    options.reactor.idle_poll_time = idle_poll_time;
    std::vector<count> call_counts(InFlight);
    count unmeasured_count = 0;
    run(options, [&each, &call_counts, &unmeasured_count] {
        return call_often(unmeasured_count, 100).then([&each, &call_counts] {
            each.start();
            return parallel_for_each(
                       call_counts,
                       [&each](count& call_count) { return call_often(call_count, each.rounds); })
                .then([&each] { each.stop(); });
        });
    });
    return std::accumulate(call_counts.begin(), call_counts.end(), count{0});
}

// Looks for mail far longer than any answer takes.
template <std::size_t InFlight>
count submit_to_awake(trial& each) {
    return round_trips<InFlight>(each, 1ms);
}

// Sleeps at once, on both shards: two wake-ups for each call.
count submit_to_asleep(trial& each) { return round_trips<1>(each, 0ns); }

count submit_to_own_shard(trial& each) {
    return each.sum(
        [] { return smp::submit_to(this_shard_id(), [] { return hidden(one); }).get(); });
}

}  // namespace

int main(int argc, char** argv) {
    return run_benchmarks(argc, argv,
                          {
                              {"spsc_round_trip_1", spsc_round_trip<1>},
                              {"submit_to_1", submit_to_awake<1>},
                              {"spsc_round_trip_16", spsc_round_trip<16>, 16},
                              {"submit_to_16", submit_to_awake<16>, 16},
                              {"spsc_round_trip_128", spsc_round_trip<128>, 128},
                              {"submit_to_128", submit_to_awake<128>, 128},
                              {"submit_to_1000", submit_to_awake<1000>, 1000},
                              {"submit_to_own_shard", on_shard<submit_to_own_shard>},
                              {"idle_turn_of_2", idle_turn<2>},
                              {"idle_turn_of_128", idle_turn<128>},
                              {"eventfd_round_trip", eventfd_round_trip},
                              {"submit_to_asleep", submit_to_asleep},
                          });
}
