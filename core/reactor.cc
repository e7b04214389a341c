#include <miniss/core/reactor.hh>

#include <algorithm>
#include <utility>

namespace miniss {

namespace {

// What a shard is doing that runs no task.
constexpr auto asking_pollers = code_location::named("timers and mail");
constexpr auto doing_io = code_location::named("I/O");

// Makes the calling thread play a shard, and gives it back what it played before.
class enter_shard {
    shard_context* _previous;

public:
    explicit enter_shard(shard_context& shard) noexcept : _previous(this_shard) {
        this_shard = &shard;
    }
    enter_shard(const enter_shard&) = delete;
    enter_shard& operator=(const enter_shard&) = delete;
    ~enter_shard() {
        this_shard->running = {};
        this_shard = _previous;
    }
};

}  // namespace

bool internal::time_slice_is_over() noexcept { return engine().slice_is_over(); }

bool internal::draw_deferral() noexcept {
    return this_shard != nullptr && this_shard->loop != nullptr &&
           this_shard->loop->draw_deferral();
}

reactor::reactor(shard_context& context, io_backend& backend, reactor_options options)
    : _context(context),
      _backend(backend),
      _options(options),
      _now(backend.now()),
      _random_state(options.shuffle_seed) {
    context.loop = this;
    context.ready = &_ready;
}

reactor::~reactor() {
    MINISS_ASSERT(_ready.empty());  // run() returns only when nothing is left.
    forget_waiting();
    _context.loop = nullptr;
    _context.ready = nullptr;
}

void reactor::run() noexcept {
    const enter_shard here(_context);
    while (!_stopping || !_ready.empty()) {
        run_turn();
    }
    for (poller* source : _pollers) {
        source->stop();
    }
    while (_backend.operations_in_flight() != 0 || !_ready.empty()) {
        _backend.cancel_all();
        run_turn();
    }
}

void reactor::run_turn() noexcept {
    begin_slice();
    run_tasks();
    const bool busy = ask_pollers();
    _context.running = doing_io;
    if (busy || !_ready.empty() || _stopping) {
        _backend.poll();
    } else if (const auto idle_since = _backend.now(); !look_again(idle_since)) {
        sleep(idle_since);
    }
}

bool reactor::run_one_turn() noexcept {
    const enter_shard here(_context);
    const bool had_tasks = !_ready.empty();
    begin_slice();
    run_tasks();
    const bool busy = ask_pollers();
    _context.running = doing_io;
    const bool completed = _backend.poll();
    return had_tasks || busy || completed || !_ready.empty();
}

void reactor::begin_slice() noexcept {
    _pulse.begin_turn();
    if (!std::exchange(_has_fresh_time, false)) {
        _now = _backend.now();
    }
    _slice_end = _now + time_slice;
    _credit_given = _now;
    _context.preemption_credit = _options.shuffle_seed == 0 ? _credit : 0;
}

// need_preempt() has used up its credit: it asked `_credit` times since we last looked at the
// clock. Give as much credit as lasts about a sixteenth of a slice, so that looking costs next to
// nothing in a tight loop and the slice ends in time where every round is long.
bool reactor::slice_is_over() noexcept {
    if (_options.shuffle_seed != 0) {
        _context.preemption_credit = 0;
        const bool always = _options.provokes && _options.shuffle_seed % 3 == 0;
        return always || draw() % 4 == 0;
    }
    const auto now = _backend.now();
    if (now >= _slice_end) {
        _context.preemption_credit = 0;  // Every further question gets the same answer.
        _credit = std::max(_credit / 2, credit_min);
        return true;
    }
    if (now - _credit_given < time_slice / 16) {
        _credit = std::min(_credit * 2, credit_max);
    } else {
        _credit = std::max(_credit / 2, credit_min);
    }
    _credit_given = now;
    _context.preemption_credit = _credit;
    return false;
}

std::size_t reactor::ready_count() const noexcept {
    std::size_t count = 0;
    _ready.for_each([&count](const task&) { ++count; });
    return count;
}

void reactor::run_tasks() noexcept {
    if (_options.shuffle_seed != 0) {
        shuffle_ready();
    }
    _runs_tasks = true;
    while (!_ready.empty()) {
        task& work = _ready.front();
        _ready.pop_front();
        _context.running = work.attached_at;
        work.run_and_dispose();
        const bool over = _options.shuffle_seed != 0 ? draw() % 4 == 0 : need_preempt();
        if (over) {
            break;
        }
    }
    _runs_tasks = false;
}

// Tasks that still wait would write to the ends of the list when they are woken by the death of
// their promises.
void reactor::forget_waiting() noexcept {
    internal::task_link& ends = _context.waiting;
    while (ends._next != &ends) {
        internal::task_link& left = *ends._next;
        left.unlink();
        left = {&left, &left};
    }
}

bool reactor::ask_pollers() noexcept {
    _context.running = asking_pollers;
    bool busy = false;
    for (poller* source : _pollers) {
        busy |= source->poll();
    }
    return busy;
}

steady_clock::time_point reactor::next_deadline() noexcept {
    auto deadline = steady_clock::time_point::max();
    for (poller* source : _pollers) {
        deadline = std::min(deadline, source->next_deadline());
    }
    return deadline;
}

// Waking up costs far more than looking for a few microseconds, so where the last waits were
// short the next one is likely to be short too. Where they were long, looking would only burn
// CPU. Asking the pollers takes a few nanoseconds; the backend may need a system call, and the
// clock takes as long as several looks: so these come after every few. True if work has come in.
bool reactor::look_again(steady_clock::time_point idle_since) noexcept {
    // To look through waits of nearly that time would cost more than to sleep does.
    if (_typical_wait > _options.idle_poll_time / 4) {
        return false;
    }
    constexpr int looks_per_reading = 8;
    _now = idle_since;
    while (_now - idle_since < _options.idle_poll_time) {
        bool found = _backend.poll();
        for (int look = 0; look < looks_per_reading && !found; ++look) {
            found = ask_pollers() || !_ready.empty() || _stopping;
        }
        if (found) {
            _typical_wait = (_typical_wait * 3 + (_now - idle_since)) / 4;
            _has_fresh_time = true;
            return true;
        }
        _now = _backend.now();
    }
    return false;
}

void reactor::sleep(steady_clock::time_point idle_since) noexcept {
    bool may_sleep = true;
    for (poller* source : _pollers) {
        may_sleep &= source->prepare_to_sleep();
    }
    if (may_sleep) {
        const auto deadline = next_deadline();
        _pulse.fall_asleep();
        _backend.wait_until(deadline);
        _pulse.wake_up();
        _now = _backend.now();
        _has_fresh_time = true;
        // A long wait tells us no more than a moderate one, and must not count for ever.
        const auto waited =
            std::min<std::chrono::nanoseconds>(_now - idle_since, _options.idle_poll_time * 8);
        _typical_wait = std::min(_typical_wait, _options.idle_poll_time * 8);
        _typical_wait = (_typical_wait * 3 + waited) / 4;
    } else {
        _backend.poll();
    }
    for (poller* source : _pollers) {
        source->woke_up();
    }
}

// Only tasks are misled: those who set up and look on from outside know what they did.
bool reactor::draw_deferral() noexcept {
    return _options.provokes && _options.shuffle_seed != 0 && _runs_tasks && draw() % 4 == 0;
}

// Draws a new order for what is ready; tasks that become ready later still come behind.
void reactor::shuffle_ready() noexcept {
    task_list left;
    task_list right;
    while (!_ready.empty()) {
        task& work = _ready.front();
        _ready.pop_front();
        if (draw() % 2 == 0) {
            left.push_back(work);
        } else {
            right.push_back(work);
        }
    }
    _ready.append(left);
    _ready.append(right);
}

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t reactor::draw() noexcept {
    std::uint64_t z = _random_state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

}  // namespace miniss
