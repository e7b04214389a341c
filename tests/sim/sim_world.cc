#include <miniss/tests/sim/sim_world.hh>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace miniss::sim {

namespace {

reactor_options options_with(std::uint64_t shuffle_seed) noexcept {
    reactor_options options;
    options.shuffle_seed = shuffle_seed;
    options.provokes = sim_world::provokes;
    return options;
}

}  // namespace

sim_shard::sim_shard(sim_world& its_world, unsigned id, std::uint64_t shuffle_seed)
    : world(its_world),
      context{id},
      backend(its_world.clock(), its_world.random(), its_world.network()),
      loop(context, backend, options_with(shuffle_seed)),
      timers(loop) {}

sim_world::sim_world(std::uint64_t seed) noexcept : _seed(seed), _random(seed) {}

sim_shard& sim_world::add_shard() {
    const auto id = static_cast<unsigned>(_shards.size());
    const std::uint64_t shuffle_seed = _seed == 0 ? 0 : _random.draw() | 1;
    _shards.push_back(std::make_unique<sim_shard>(*this, id, shuffle_seed));
    wake_all_after(nullptr);
    return *_shards.back();
}

sim_world::~sim_world() {
    try {
        run_until_rest();
    } catch (const livelock& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::abort();
    }
    for (const auto& each : _shards) {
        each->loop.stop();
        each->loop.run();
    }
}

bool sim_world::turn(sim_shard& shard) noexcept {
    shard.backend.begin_turn();
    return shard.loop.run_one_turn();
}

void sim_world::step() {
    if (at_rest()) {
        move_time();
        return;
    }
    const std::size_t next = _random.pick(_restless.size());
    sim_shard* const shard = _restless[next];
    const std::size_t questions_before = shard->backend.question_total();
    const bool progressed = turn(*shard);
    // A few questions are part of any turn; each further one stands for a thousand short rounds.
    const std::size_t questions = shard->backend.question_total() - questions_before;
    _effort += 1 + 32 * (questions > 16 ? questions - 16 : 0);
    if (_effort > effort_max * _shards.size()) {
        throw livelock("livelock: time stands still as some shard is always busy; " + describe());
    }
    if (progressed) {
        wake_all_after(shard);
    } else {
        _restless.erase(_restless.begin() + static_cast<std::ptrdiff_t>(next));
    }
}

void sim_world::run_until_rest() {
    _effort = 0;
    wake_all_after(nullptr);
    while (!at_rest()) {
        step();
    }
}

// In the plain world the shards take turns, beginning behind `last`.
void sim_world::wake_all_after(const sim_shard* last) {
    _asking_again = false;
    _restless.clear();
    const std::size_t first = last == nullptr ? 0 : last->context.id + 1;
    for (std::size_t i = 0; i < _shards.size(); ++i) {
        _restless.push_back(_shards[(first + i) % _shards.size()].get());
    }
}

bool sim_world::at_rest() {
    if (_restless.empty() && !_asking_again) {
        wake_all_after(nullptr);
        _asking_again = true;
    }
    return _restless.empty();
}

void sim_world::move_time() {
    auto next = _clock.next_moment();
    for (const auto& each : _shards) {
        next = std::min(next, each->loop.next_deadline());
    }
    if (next == steady_clock::time_point::max()) {
        wake_all_after(nullptr);
        throw deadlock("deadlock: every shard rests, and nothing will ever wake one; " +
                       describe());
    }
    if (next > _clock.now()) {
        _clock.advance_to(next);
        _effort = 0;
    }
    wake_all_after(nullptr);
}

std::string sim_world::describe() const {
    const std::chrono::duration<double> passed = _clock.now().time_since_epoch();
    std::string text = "seed " + std::to_string(_seed) + ", " + std::to_string(passed.count()) +
                       " s, operations in flight:";
    for (const auto& each : _shards) {
        text += ' ' + std::to_string(each->backend.operations_in_flight());
    }
    return text;
}

}  // namespace miniss::sim
