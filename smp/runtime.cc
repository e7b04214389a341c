#include <miniss/smp/runtime.hh>

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <miniss/core/assert.hh>
#include <miniss/smp/borrowed_thread.hh>
#include <miniss/smp/cpu_quota.hh>
#include <miniss/smp/mailbox.hh>
#include <miniss/smp/rendezvous.hh>
#include <miniss/smp/smp.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss {

namespace {

// Tells a shard's loop when main has ended. The order to stop does not come by mail: a full ring
// could keep it from arriving at the very shard that is to empty the ring.
class stop_listener final : public poller {
    reactor& _reactor;
    const std::atomic<bool>& _stopping;

public:
    stop_listener(reactor& of_shard, const std::atomic<bool>& stopping)
        : _reactor(of_shard), _stopping(stopping) {
        _reactor.add_poller(*this);
    }
    stop_listener(const stop_listener&) = delete;
    stop_listener& operator=(const stop_listener&) = delete;
    ~stop_listener() { _reactor.remove_poller(*this); }

    bool poll() noexcept override {
        if (_stopping.load(std::memory_order_acquire)) {
            _reactor.stop();
        }
        return false;
    }
    steady_clock::time_point next_deadline() noexcept override {
        return steady_clock::time_point::max();
    }
};

// The parts of one shard, in the order in which they need each other. Made, used and destroyed on
// the shard's own thread, which plays the shard as long as it is there.
struct shard {
    shard_context context;
    std::unique_ptr<io_backend> backend;
    reactor loop;
    timer_service timers;
    stop_listener listener;
    std::optional<mailbox> mail;  // Nobody writes to an only shard.

    shard(unsigned id, backend_kind kind, const reactor_options& options, post_office& office,
          const std::atomic<bool>& stopping)
        : context{.id = id},
          backend(make_backend(kind)),
          loop(context, *backend, options),
          timers(loop),
          listener(loop, stopping) {
        if (office.shard_count() > 1) {
            mail.emplace(office, loop);
        }
        this_shard = &context;
    }
    ~shard() { this_shard = nullptr; }
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;
};

// Keeps signals from the threads that are started while it lives: they go to the thread that the
// program knows. Left alone are those that tell of the thread's own faults, and the profiler's.
class signals_blocked {
    sigset_t _previous;

public:
    signals_blocked() {
        sigset_t all;
        sigfillset(&all);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) {
            sigdelset(&all, own);
        }
        pthread_sigmask(SIG_SETMASK, &all, &_previous);
    }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;
    ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &_previous, nullptr); }
};

[[noreturn]] void rethrow_for(unsigned id, const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& reason) {
        throw std::runtime_error("cannot start shard " + std::to_string(id) + ": " + reason.what());
    }
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

public:
    explicit runtime(runtime_facts&& facts, const reactor_options& options)
        : _facts(std::move(facts)),
          _reactor_options(options),
          _office(shard_count()),
          _meeting(shard_count()),
          _backends(shard_count()),
          _errors(shard_count()) {}

    unsigned shard_count() const noexcept {
        return static_cast<unsigned>(_facts.placements.size());
    }
    const runtime_facts& facts() const noexcept { return _facts; }

    // Returns when all shards have ended. Throws if they could not start.
    void run(task& main);

    void stop() noexcept {
        _stopping.store(true, std::memory_order_release);
        for (io_backend* backend : _backends) {
            backend->wake();
        }
    }

private:
    void start_threads(std::vector<std::thread>& threads, task& main) noexcept;
    void live(unsigned id, task& main) noexcept;
    void wind_up(shard& here);
};

// The one that is running.
std::atomic<runtime*> current{nullptr};

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
    std::vector<std::thread> threads;
    threads.reserve(shard_count());
    start_threads(threads, main);
    live(0, main);
    for (std::thread& each : threads) {
        each.join();
    }
    for (unsigned id = 0; id < shard_count(); ++id) {
        if (_errors[id]) {
            rethrow_for(id, _errors[id]);
        }
    }
}

void runtime::start_threads(std::vector<std::thread>& threads, task& main) noexcept {
    const signals_blocked in_threads;
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
        here.emplace(id, _facts.backend, _reactor_options, _office, _stopping);
        _backends[id] = here->backend.get();
    } catch (...) {
        _errors[id] = std::current_exception();
    }
    if (_meeting.any(_errors[id] != nullptr)) {
        return;
    }
    if (id == 0) {
        here->loop.schedule(main);
    }
    here->loop.run();
    wind_up(*here);
}

// Runs what is left to run here, and what that leads to. True if there was anything.
bool settle(shard& here) noexcept {
    const auto has_unsent = [&here] { return here.mail && here.mail->has_unsent(); };
    bool active = has_unsent();
    while (here.loop.run_one_turn()) {
        active = true;
        here.loop.run();  // It was told to stop: it only cancels what was started just now.
    }
    return active || has_unsent();
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
    _meeting.any(false);
    do {
        while (_meeting.any(settle(here))) {}
    } while (_meeting.any(here.mail && here.mail->abandon_open_calls()));
}

bool is_oversubscribed(const std::vector<shard_placement>& placements) {
    std::set<unsigned> cpus;
    for (const shard_placement& each : placements) {
        cpus.insert(each.cpu);
    }
    return cpus.size() < placements.size();
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
    facts.placements = place_shards(discover_machine(), request);
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
    reactor_options of_each = options.reactor;
    if (is_oversubscribed(facts.placements)) {
        of_each.idle_poll_time = {};  // Who looks for work keeps a neighbour from doing his.
    }
    runtime shards(std::move(facts), of_each);
    const current_runtime this_one(shards);
    shards.run(main);
}

void internal::main_has_ended() noexcept { current.load(std::memory_order_acquire)->stop(); }

}  // namespace miniss
