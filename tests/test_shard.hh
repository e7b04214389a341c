// One shard in a simulated world: all that a test of futures needs, without kernel or threads.
#pragma once

#include <miniss/tests/sim/sim_world.hh>

namespace miniss {

// The seed decides the order of ready tasks, the moments of preemption and what the network does.
// Seed 0 is the plain world: first come first served, and nothing goes wrong by chance.
//
// While it lives, the thread plays its shard, so that a test may use futures outside run() too.
class test_shard {
    sim::sim_world _world;
    sim::sim_shard& _shard = _world.add_shard();
    sim::acting_as _acting{_shard.context};

public:
    explicit test_shard(std::uint64_t seed = 0) : _world(seed) {}

    // Calls body() on the shard, runs it until the future that body returned is ready, and gives
    // its value or throws its error. Virtual time jumps to the next timer whenever there is
    // nothing else to do.
    // Errors: sim::deadlock if the future can never be ready; sim::livelock.
    template <typename Func>
    auto run(Func body) {
        return _world.run_on(_shard, std::move(body));
    }

    // Runs what is ready, until nothing is. Time stands still.
    void run_until_rest() { _world.run_until_rest(); }

    // One turn of the reactor. True if anything happened.
    bool run_one_turn() { return _world.turn(_shard); }

    sim::sim_world& world() noexcept { return _world; }
    sim::sim_shard& shard() noexcept { return _shard; }
    sim::sim_network& network() noexcept { return _world.network(); }
    steady_clock::time_point now() const noexcept { return _world.now(); }
};

}  // namespace miniss
