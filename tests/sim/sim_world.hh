// A whole machine in one thread: shards, a network and time, driven by one seed.
//
// The same seed gives the same run, step by step, so a failing seed is all that it takes to see a
// failure again.
#pragma once

#include <concepts>
#include <memory>
#include <stdexcept>

#include <miniss/core/future.hh>
#include <miniss/core/reactor.hh>
#include <miniss/tests/sim/sim_backend.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss::sim {

// No shard has anything to do, nothing is on its way, and no deadline is set: what the test waits
// for will never come.
struct deadlock : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Some shard always has something to do, so time never moves on.
struct livelock : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Lets the calling thread play a shard, and then what it played before.
class acting_as {
    shard_context* _before;

public:
    explicit acting_as(shard_context& shard) noexcept
        : _before(std::exchange(this_shard, &shard)) {}
    acting_as(const acting_as&) = delete;
    acting_as& operator=(const acting_as&) = delete;
    ~acting_as() { this_shard = _before; }
};

class sim_world;

// One shard, as start-up code makes it of its parts.
struct sim_shard {
    sim_world& world;
    shard_context context;
    sim_backend backend;
    reactor loop;
    timer_service timers;

    sim_shard(sim_world& its_world, unsigned id, std::uint64_t shuffle_seed);
};

// Lifetime: outlives everything that its shards have made. Destroying it stops the shards, as
//           reactor::stop() does: what they wait for is cancelled, and what is ready runs.
class sim_world {
    std::uint64_t _seed;
    sim_random _random;
    sim_clock _clock;
    sim_network _network{_clock, _random};
    std::vector<std::unique_ptr<sim_shard>> _shards;

    // Shards that had something to do, or might have since somebody else had.
    std::vector<sim_shard*> _restless;
    // All are at rest, and are asked once more: the last turn of one may concern another.
    bool _asking_again = false;
    // What was done since time moved, in turns.
    std::size_t _effort = 0;

public:
    // So much effort without a rest is a livelock: a second or so.
    static constexpr std::size_t effort_max = 1'000'000;

    // Whether shards get reactor_options::provokes.
    inline static bool provokes = false;

    explicit sim_world(std::uint64_t seed) noexcept;
    ~sim_world();
    sim_world(const sim_world&) = delete;
    sim_world& operator=(const sim_world&) = delete;

    // Before the first step.
    sim_shard& add_shard();
    sim_shard& shard(unsigned id) { return *_shards.at(id); }
    std::size_t shard_count() const noexcept { return _shards.size(); }

    sim_network& network() noexcept { return _network; }
    sim_clock& clock() noexcept { return _clock; }
    sim_random& random() noexcept { return _random; }
    steady_clock::time_point now() const noexcept { return _clock.now(); }

    // Lets one shard, drawn by the seed, run one turn. When all are at rest, time jumps to the
    // earliest moment at which one will have something to do.
    // Errors: deadlock, livelock.
    void step();

    // Steps until done() is true. It is asked between turns, on no shard.
    template <std::predicate Done>
    void run_until(Done&& done) {
        _effort = 0;
        wake_all_after(nullptr);  // The caller may have made work.
        while (!done()) {
            step();
        }
    }

    // Lets `shard` run one turn. True if anything happened.
    bool turn(sim_shard& shard) noexcept;

    // Lets all shards run until none has anything to do now; time stands still.
    void run_until_rest();

    // Calls body() as a task of `shard`, steps until the future it returned is ready, and gives
    // its value or throws its error.
    template <typename Func>
    auto run_on(sim_shard& shard, Func body);

    // "seed 7, 1.5 s, operations in flight: 0 2".
    std::string describe() const;

private:
    void wake_all_after(const sim_shard* last);
    bool at_rest();
    void move_time();
};

template <typename Func>
auto sim_world::run_on(sim_shard& shard, Func body) {
    using result = futurize_t<std::invoke_result_t<Func&>>;
    struct call {
        Func body;
        std::optional<result> outcome;
        bool given_up = false;
    };
    // Shared, because after a deadlock the chain may still end when the world does.
    const auto made = std::make_shared<call>(call{std::move(body), std::nullopt});
    {
        const acting_as caller(shard.context);
        promise<> start;
        (void)start.get_future()
            .then([made] { return futurize_invoke(made->body); })
            .then_wrapped([made](result ended) {
                if (made->given_up && ended.failed()) {
                    ended.ignore_ready_future();
                }
                made->outcome.emplace(std::move(ended));
            });
        start.set_value();
    }
    try {
        run_until([&made] { return made->outcome.has_value(); });
    } catch (...) {
        made->given_up = true;
        throw;
    }
    return made->outcome->get();
}

}  // namespace miniss::sim
