// Shards of a simulated world that can call each other: one thread, a seed, virtual time.
#pragma once

#include <memory>
#include <vector>

#include <miniss/smp/mailbox.hh>
#include <miniss/tests/sim/sim_world.hh>

namespace miniss {

// The seed draws which shard takes the next turn, in what order its tasks run and when they
// preempt: letters of different pairs of shards overtake each other at will. With seed 0 shards
// take turns and tasks keep their order.
//
// When it is destroyed the shards end as those of a runtime do.
class sim_shards {
    sim::sim_world _world;
    post_office _office;
    std::vector<std::unique_ptr<mailbox>> _mail;

public:
    explicit sim_shards(unsigned count, std::uint64_t seed = 0) : _world(seed), _office(count) {
        for (unsigned id = 0; id < count; ++id) {
            _mail.push_back(std::make_unique<mailbox>(_office, _world.add_shard().loop));
        }
    }
    sim_shards(const sim_shards&) = delete;
    sim_shards& operator=(const sim_shards&) = delete;
    ~sim_shards() { end(); }

    sim::sim_world& world() noexcept { return _world; }
    mailbox& mail(unsigned id) noexcept { return *_mail[id]; }
    steady_clock::time_point now() const noexcept { return _world.now(); }

    // Calls body() on a shard, lets all run until its future is ready, and gives the result.
    // Errors: sim::deadlock if that can never be.
    template <typename Func>
    auto run_on(unsigned id, Func body) {
        return _world.run_on(_world.shard(id), std::move(body));
    }
    template <typename Func>
    auto run(Func body) {
        return run_on(0, std::move(body));
    }

    // Calls func() as that shard, between its turns.
    template <typename Func>
    auto on(unsigned id, Func func) {
        const sim::acting_as shard(_world.shard(id).context);
        return func();
    }

    void run_until_rest() { _world.run_until_rest(); }

    // As at the end of a program: timers are cancelled, calls that nobody can answer given up.
    void end() {
        bool active = true;
        while (active) {
            for (unsigned id = 0; id < _mail.size(); ++id) {
                sim::sim_shard& each = _world.shard(id);
                each.backend.begin_turn();
                each.loop.stop();
                each.loop.run();
            }
            _world.run_until_rest();
            active = false;
            for (unsigned id = 0; id < _mail.size(); ++id) {
                active |= on(id, [&] { return _mail[id]->abandon_open_calls(); });
            }
        }
    }
};

}  // namespace miniss
