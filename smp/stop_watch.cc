#include <miniss/smp/stop_watch.hh>

#include <cstdio>
#include <cstdlib>

#include <miniss/smp/mailbox.hh>

namespace miniss {

namespace {

// For all shards to write down what they wait for.
constexpr std::chrono::milliseconds grace(200);

}  // namespace

void stop_watch::start() noexcept {
    if (_limit != _limit.zero()) {
        _deadline.store(clock::now() + _limit, std::memory_order_relaxed);
    }
}

stop_watch::clock::time_point stop_watch::late(const shard_context& shard,
                                               std::string doing) noexcept {
    const std::lock_guard held(_lock);
    if (_notes[shard.id].empty()) {
        const std::string waits = shard.mail->describe_waits();
        _notes[shard.id] = doing + (waits.empty() ? "" : ", waits for " + waits);
    }
    const clock::time_point end = deadline() + grace;
    if (clock::now() >= end) {
        report();
    }
    return end;
}

void stop_watch::report() const noexcept {
    const auto seconds = std::chrono::duration<double>(_limit).count();
    std::fprintf(stderr, "miniss: not all shards have stopped %g s after main has ended:\n",
                 seconds);
    for (std::size_t id = 0; id < _notes.size(); ++id) {
        std::fprintf(stderr, "miniss: shard %zu %s\n", id,
                     _notes[id].empty() ? "runs a task that does not end" : _notes[id].c_str());
    }
    std::abort();
}

}  // namespace miniss
