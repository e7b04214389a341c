#include <miniss/smp/runtime.hh>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <miniss/core/assert.hh>
#include <miniss/core/log_rescue.hh>
#include <miniss/core/log_writer.hh>
#include <miniss/core/signals_blocked.hh>
#include <miniss/smp/alien.hh>
#include <miniss/smp/blocking_pool.hh>
#include <miniss/smp/borrowed_thread.hh>
#include <miniss/smp/cpu_quota.hh>
#include <miniss/smp/door.hh>
#include <miniss/smp/dump_tasks.hh>
#include <miniss/smp/mailbox.hh>
#include <miniss/smp/rendezvous.hh>
#include <miniss/smp/smp.hh>
#include <miniss/smp/stall_detector.hh>
#include <miniss/smp/stop_watch.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss {

namespace {

// How many of this shard's are at work, or in the queue.
std::size_t calls_in_pool() noexcept;

// Tells a shard's loop when to stop. The order does not come by mail: a full ring could keep it
// from arriving at the very shard that is to empty the ring. Then sees to it that this does not
// last.
class stop_listener final : public poller {
    reactor& _reactor;
    const std::atomic<bool>& _stopping;
    stop_watch& _watch;

public:
    stop_listener(reactor& of_shard, const std::atomic<bool>& stopping, stop_watch& watch)
        : _reactor(of_shard), _stopping(stopping), _watch(watch) {
        _reactor.add_poller(*this);
    }
    stop_listener(const stop_listener&) = delete;
    stop_listener& operator=(const stop_listener&) = delete;
    ~stop_listener() { _reactor.remove_poller(*this); }

    bool poll() noexcept override {
        if (_stopping.load(std::memory_order_acquire)) {
            _reactor.stop();
        }
        if (_reactor.now() >= _watch.deadline()) {
            describe_lateness();
        }
        return false;
    }
    steady_clock::time_point next_deadline() noexcept override { return _watch.deadline(); }

private:
    void describe_lateness() noexcept {
        std::string doing = "has not run out of work";
        if (const auto count = _reactor.backend().operations_in_flight(); count != 0) {
            doing += ", waits for " + std::to_string(count) + " operations of the kernel";
        }
        if (const auto count = calls_in_pool(); count != 0) {
            doing += ", waits for " + std::to_string(count) + " calls that block";
        }
        _watch.late(_reactor.context(), doing);
    }
};

// The parts of one shard, in the order in which they need each other. Made, used and destroyed on
// the shard's own thread, which plays the shard as long as it is there.
struct shard {
    internal::rescue_stack stack;
    shard_context context;
    std::unique_ptr<io_backend> backend;
    reactor loop;
    mailbox mail;  // Before the timers, as others wait for what is sent.
    timer_service timers;
    stop_listener listener;

    shard(unsigned id, backend_kind kind, const reactor_options& options, log_writer& log,
          post_office& office, const std::atomic<bool>& stopping, stop_watch& watch,
          blocking_threads& threads)
        : context{.id = id, .log = &log.buffer_of(id)},
          backend(make_backend(kind, &threads)),
          loop(context, *backend, options),
          mail(office, loop),
          timers(loop),
          listener(loop, stopping, watch) {
        this_shard = &context;
    }
    ~shard() { this_shard = nullptr; }
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;
};

[[noreturn]] void rethrow_for(unsigned id, const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& reason) {
        throw std::runtime_error("cannot start shard " + std::to_string(id) + ": " + reason.what());
    }
}

bool is_oversubscribed(const std::vector<shard_placement>& placements) {
    std::set<unsigned> cpus;
    for (const shard_placement& each : placements) {
        cpus.insert(each.cpu);
    }
    return cpus.size() < placements.size();
}

// All shards of a process, from their start to their end.
class runtime {
    runtime_facts _facts;
    reactor_options _reactor_options;
    post_office _office;
    internal::rendezvous _meeting;
    std::atomic<bool> _stopping{false};
    std::vector<io_backend*> _backends;       // By shard; null until it has one.
    std::vector<std::exception_ptr> _errors;  // By shard: why it could not start.
    stop_watch _watch;
    unsigned _pool_thread_max;
    std::optional<blocking_pool> _pool;
    std::optional<log_writer> _log;
    std::optional<stall_detector> _stalls;
    int _dump_signal;

public:
    explicit runtime(runtime_facts&& facts, const runtime_options& options)
        : _facts(std::move(facts)),
          _reactor_options(options.reactor),
          _office(shard_count()),
          _meeting(shard_count()),
          _backends(shard_count()),
          _errors(shard_count()),
          _watch(shard_count(), options.stop_deadline),
          _pool_thread_max(options.pool_thread_count),
          _dump_signal(options.dump_signal) {
        if (is_oversubscribed(_facts.placements)) {
            _reactor_options.idle_poll_time = {};  // Looking keeps a neighbour from working.
        }
        if (options.stall_limit > std::chrono::milliseconds::zero()) {
            start_stall_detector(options);
        }
    }

    unsigned shard_count() const noexcept {
        return static_cast<unsigned>(_facts.placements.size());
    }
    const runtime_facts& facts() const noexcept { return _facts; }

    // Returns when all shards have ended. Throws if they could not start.
    void run(task& main);

    // On shard 0. What blocks is waited for before the loops stop, as they are to get it.
    void main_has_ended() noexcept;

    mailbox& box(unsigned shard) const noexcept { return _office.box(shard); }
    blocking_pool& pool() noexcept { return *_pool; }

    // All shards' loops end.
    void stop() noexcept {
        _stopping.store(true, std::memory_order_release);
        wake_all();
    }

private:
    // Shards can do without.
    void start_stall_detector(const runtime_options& options) {
        try {
            _stalls.emplace(
                stall_detector::options{.limit = options.stall_limit,
                                        .reports_per_minute = options.stall_reports_per_minute});
        } catch (const std::system_error& error) {
            std::fprintf(stderr, "miniss: stalls will not be reported: %s\n", error.what());
        }
    }
    void start_log();
    void start_threads(std::vector<std::thread>& threads, task& main) noexcept;
    void live(unsigned id, task& main) noexcept;
    void wind_up(shard& here);
    bool any_shard(shard& here, bool mine);
    void wake_all() noexcept {
        for (io_backend* backend : _backends) {
            backend->wake();
        }
    }
};

// The one that is running.
std::atomic<runtime*> current{nullptr};

// Open while main runs.
constinit internal::door entrance;

std::size_t calls_in_pool() noexcept {
    const semaphore& places = current.load(std::memory_order_acquire)->pool().places_here();
    return blocking_pool::places_per_shard - places.current();
}

class current_runtime {
public:
    explicit current_runtime(runtime& shards) noexcept {
        const runtime* other = current.exchange(&shards);
        MINISS_ASSERT(other == nullptr);  // Only one at a time.
        smp::count = shards.shard_count();
    }
    current_runtime(const current_runtime&) = delete;
    current_runtime& operator=(const current_runtime&) = delete;
    ~current_runtime() {
        smp::count = 0;
        current = nullptr;
    }
};

void runtime::run(task& main) {
    const internal::borrowed_thread borrowed;
    _pool.emplace(shard_count(), _pool_thread_max, borrowed);
    start_log();
    std::vector<std::thread> threads;
    threads.reserve(shard_count());
    start_threads(threads, main);
    live(0, main);
    for (std::thread& each : threads) {
        each.join();
    }
    _pool.reset();
    _log.reset();
    for (unsigned id = 0; id < shard_count(); ++id) {
        if (_errors[id]) {
            rethrow_for(id, _errors[id]);
        }
    }
}

void runtime::start_log() {
    const internal::signals_blocked in_its_thread;
    try {
        _log.emplace(shard_count());
    } catch (const std::system_error& error) {
        throw std::runtime_error(std::string("cannot start the log: ") + error.what());
    }
}

void runtime::start_threads(std::vector<std::thread>& threads, task& main) noexcept {
    const internal::signals_blocked in_threads;
    for (unsigned id = 1; id < shard_count(); ++id) {
        try {
            threads.emplace_back([this, id, &main] { live(id, main); });
        } catch (const std::system_error&) {
            _errors[id] = std::current_exception();
            _meeting.expect_fewer(shard_count() - id);
            return;
        }
    }
}

// The life of a shard, on its own thread.
void runtime::live(unsigned id, task& main) noexcept {
    std::optional<shard> here;
    try {
        (void)pthread_setname_np(pthread_self(), ("miniss/" + std::to_string(id)).c_str());
        bind_this_thread(_facts.placements[id]);
        here.emplace(id, _facts.backend, _reactor_options, *_log, _office, _stopping, _watch,
                     _pool->threads());
        _backends[id] = here->backend.get();
    } catch (...) {
        _errors[id] = std::current_exception();
    }
    if (_meeting.any(_errors[id] != nullptr, steady_clock::time_point::max(),
                     [] { return steady_clock::time_point::max(); })) {
        return;
    }
    if (id == 0) {
        entrance.open();
        if (_dump_signal != 0) {
            internal::dump_tasks_on_signal(_dump_signal);
        }
        here->loop.schedule(main);
    }
    if (_stalls) {
        _stalls->watch(here->loop);
    }
    here->loop.run();
    if (_stalls) {
        _stalls->ignore(here->loop);
    }
    wind_up(*here);
    // A thread of the pool that has just brought the last answer may still be about to wake us.
    _pool->threads().wait_until_idle();
}

void runtime::main_has_ended() noexcept {
    entrance.shut();
    _watch.start();
    if (_pool->close()) {
        stop();
    } else {
        wake_all();  // The watch has started.
    }
}

// Runs what is left to run here, and what that leads to. True if there was anything.
bool settle(shard& here) noexcept {
    bool active = here.mail.has_unsent();
    while (here.loop.run_one_turn()) {
        active = true;
        here.loop.run();  // It was told to stop: it only cancels what was started just now.
    }
    return active || here.mail.has_unsent();
}

bool runtime::any_shard(shard& here, bool mine) {
    return _meeting.any(mine, _watch.deadline(),
                        [this, &here] { return _watch.late(here.context, "has stopped"); });
}

// Shards that have stopped by themselves may still get calls from others that have not. So, once
// all have, they go on together: in rounds that end when each has run out of work, until a round
// has passed in which no shard did anything. Then nobody will ever do anything, and no letter is on
// its way, as those of the rounds before were there to be taken in. Only calls that wait for what
// can never come are left; they are given up, and what their callers do about that is seen to in
// the same way.
//
// After the last round nobody rings anybody's doorbell, so each shard may take itself apart.
void runtime::wind_up(shard& here) {
    any_shard(here, false);
    do {
        while (any_shard(here, settle(here))) {}
    } while (any_shard(here, here.mail.abandon_open_calls()));
}

chosen_backend find_backend(backend_kind wanted) {
    try {
        return choose_backend(wanted);
    } catch (const std::system_error& error) {
        throw std::runtime_error(std::string("io_uring cannot be used: ") + error.what());
    }
}

runtime_facts find_facts(const runtime_options& options) {
    placement_request request;
    request.shard_count = options.shard_count;
    request.cpus = options.cpus;
    request.use_smt = options.use_smt;
    request.pin = options.pin;
    request.cpu_quota = read_cpu_quota();
    runtime_facts facts;
    facts.here = discover_machine();
    facts.cpu_quota = request.cpu_quota;
    facts.placements = place_shards(facts.here, request);
    facts.count_rule = find_shard_count_rule(facts.here, request);
    const chosen_backend backend = find_backend(options.backend);
    facts.backend = backend.kind;
    facts.backend_name = backend.kind == backend_kind::io_uring ? "io_uring" : "epoll";
    facts.why_not_io_uring = backend.why_not_io_uring;
    return facts;
}

}  // namespace

const runtime_facts& this_runtime() noexcept {
    const runtime* here = current.load(std::memory_order_acquire);
    MINISS_ASSERT(here != nullptr);  // Otherwise: not within run().
    return here->facts();
}

void internal::run_shards(const runtime_options& options, task& main) {
    MINISS_ASSERT(this_shard == nullptr);  // A shard cannot wait for other shards to end.
    runtime_facts facts = find_facts(options);
    runtime shards(std::move(facts), options);
    const current_runtime this_one(shards);
    shards.run(main);
}

void internal::main_has_ended() noexcept {
    current.load(std::memory_order_acquire)->main_has_ended();
}

void internal::send_to_pool(blocking_call& call) noexcept {
    runtime* here = current.load(std::memory_order_acquire);
    MINISS_ASSERT(here != nullptr);  // Otherwise: not within run().
    blocking_pool& pool = here->pool();
    (void)pool.places_here().wait().then([&pool, &call] { pool.submit(call); });
}

void internal::blocking_call::leave_pool() noexcept {
    runtime& here = *current.load(std::memory_order_acquire);
    here.pool().places_here().signal();
    if (here.pool().finish()) {
        here.stop();
    }
}

void alien::internal::send(unsigned shard, miniss::internal::outside_letter& letter) {
    if (!entrance.enter()) {
        throw not_running();
    }
    current.load(std::memory_order_acquire)->box(shard).drop_in(letter);
    entrance.leave();
}

}  // namespace miniss
