// One shard's event loop.
#pragma once

#include <vector>

#include <miniss/core/assert.hh>
#include <miniss/core/io_backend.hh>
#include <miniss/core/reactor_options.hh>
#include <miniss/core/shard_pulse.hh>
#include <miniss/core/task.hh>
#include <miniss/core/this_shard.hh>

namespace miniss {

// A source of work that the reactor asks once a turn: timers, mail from other shards.
class poller {
public:
    // Moves what is due into the run queue. True if there was anything.
    virtual bool poll() noexcept = 0;

    // The latest moment at which poll() must be called again; max() if only io_backend::wake()
    // can bring work.
    virtual steady_clock::time_point next_deadline() noexcept = 0;

    // The shard is about to sleep, and is awake again. Returning false keeps it awake: work has
    // come in. Every call of the first is followed by one of the second.
    virtual bool prepare_to_sleep() noexcept { return true; }
    virtual void woke_up() noexcept {}

    // The shard stops: whoever waits here would wait for ever, and should be told.
    virtual void stop() noexcept {}

protected:
    ~poller() = default;
};

// Runs the tasks of one shard, and sleeps when there is nothing to do.
//
// A turn runs tasks until none is left or the time slice is over, then asks the pollers, then lets
// the backend submit and complete I/O. The reactor owns no thread: run() borrows the caller's, and
// a test may call run_one_turn() of several reactors in any order.
//
// Lifetime: context, backend and pollers outlive the reactor.
// Shard:    all calls on the shard's thread.
class reactor {
    shard_context& _context;
    io_backend& _backend;
    reactor_options _options;
    std::vector<poller*> _pollers;
    task_list _ready;
    internal::shard_pulse _pulse;
    bool _stopping = false;
    bool _runs_tasks = false;
    bool _has_fresh_time = false;  // _now is the present, or a few looks old.

    steady_clock::time_point _now;
    steady_clock::time_point _slice_end;
    steady_clock::time_point _credit_given;
    int _credit = credit_min;
    std::chrono::nanoseconds _typical_wait{std::chrono::hours(1)};
    std::uint64_t _random_state;

    static constexpr int credit_min = 8;
    static constexpr int credit_max = 1024;

public:
    // How long tasks may run before I/O, timers and mail get their turn.
    static constexpr std::chrono::microseconds time_slice{500};

    reactor(shard_context& context, io_backend& backend, reactor_options options = {});
    ~reactor();
    reactor(const reactor&) = delete;
    reactor& operator=(const reactor&) = delete;

    void add_poller(poller& source) { _pollers.push_back(&source); }
    void remove_poller(poller& source) noexcept { std::erase(_pollers, &source); }

    // Runs turns until stop() was called and nothing is ready to run. Then stops the pollers,
    // cancels the I/O that is still under way, and runs on until the kernel has answered all of
    // it and nothing is left to run.
    void run() noexcept;
    void stop() noexcept { _stopping = true; }

    // One turn without waiting. True if anything happened or is ready to run.
    bool run_one_turn() noexcept;
    // The earliest deadline of all pollers; max() if there is none.
    steady_clock::time_point next_deadline() noexcept;

    void schedule(task& work) noexcept { _ready.push_back(work); }

    // How many tasks are ready to run.
    std::size_t ready_count() const noexcept;

    // The moment at which this turn began; it stands still while tasks run.
    steady_clock::time_point now() const noexcept { return _now; }

    io_backend& backend() noexcept { return _backend; }
    shard_context& context() noexcept { return _context; }
    internal::shard_pulse& pulse() noexcept { return _pulse; }

private:
    friend bool internal::time_slice_is_over() noexcept;
    friend bool internal::draw_deferral() noexcept;

    void begin_slice() noexcept;
    bool slice_is_over() noexcept;
    bool draw_deferral() noexcept;
    void run_tasks() noexcept;
    void forget_waiting() noexcept;
    bool ask_pollers() noexcept;
    bool look_again(steady_clock::time_point idle_since) noexcept;
    void sleep(steady_clock::time_point idle_since) noexcept;
    void run_turn() noexcept;
    void shuffle_ready() noexcept;
    std::uint64_t draw() noexcept;
};

// This thread's reactor. Must be called on a shard.
inline reactor& engine() noexcept {
    MINISS_ASSERT(this_shard != nullptr);  // Otherwise: not on a shard.
    return *this_shard->loop;
}

}  // namespace miniss
