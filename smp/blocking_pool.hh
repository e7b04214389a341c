// Threads for calls that block, such as getaddrinfo() or the compression of a large file.
#pragma once

#include <memory>
#include <vector>

#include <miniss/core/blocking_threads.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/smp/borrowed_thread.hh>
#include <miniss/smp/outside_letter.hh>
#include <miniss/smp/smp.hh>

namespace miniss {

namespace internal {

// A call on its way to a thread of the pool and back.
//
// Ownership: its home shard allocates and frees it.
class blocking_call : public outside_letter, public blocking_job {
public:
    mailbox* home = nullptr;
    bool refused = false;  // There was no thread to do it.

    void work() noexcept final;
    void refuse() noexcept final;

protected:
    ~blocking_call() = default;
    // On a thread of the pool.
    virtual void call() noexcept = 0;
    // At home, when it is back.
    void leave_pool() noexcept;
};

// Hands the call of this shard to the pool, or has it wait for a place. Comes back by itself.
void send_to_pool(blocking_call& call) noexcept;

}  // namespace internal

// The threads end with the runtime, and may run on all CPUs that the program may, also those of
// shards: the kernel finds them a place where there is one.
//
// Of the calls of one shard at most places_per_shard are in the queue or at work; further ones wait
// on the shard, in order.
//
// Shard: any, but the constructor and destructor.
class blocking_pool {
    std::vector<std::unique_ptr<semaphore>> _places;  // By shard, each touched by that one only.

    struct shared;
    std::unique_ptr<shared> _shared;
    blocking_threads _threads;

public:
    static constexpr std::size_t places_per_shard = 128;

    blocking_pool(unsigned shard_count, unsigned thread_max,
                  const internal::borrowed_thread& starter);
    // All calls are back by then.
    ~blocking_pool();

    semaphore& places_here() noexcept { return *_places[this_shard_id()]; }

    // Requires one of the places of this shard.
    void submit(internal::blocking_call& call) noexcept;

    // Takes no more calls, and sends those home that were not begun. True if all are back.
    bool close() noexcept;

    // A call is back. True if the pool is closed and that was the last one.
    bool finish() noexcept;

    // For other work; what of that is in the queue is refused by close() too.
    blocking_threads& threads() noexcept { return _threads; }
};

namespace internal {

template <typename T, typename Func>
class blocking_call_of final : public blocking_call {
    Func _func;
    future_state<T> _answer;
    promise_base<T> _result;

public:
    explicit blocking_call_of(Func&& func) : _func(std::move(func)) {}
    explicit blocking_call_of(const Func& func) : _func(func) {}
    future<T> get_future() noexcept {
        return future<T>::make_pending(_result, code_location::named("call in the pool"));
    }

    void call() noexcept override {
        try {
            if constexpr (std::is_void_v<T>) {
                _func();
                _answer.set_value();
            } else {
                _answer.set_value(_func());
            }
        } catch (...) {
            _answer.set_error(std::current_exception());
        }
    }

    void run_and_dispose() noexcept override {
        if (this->refused) {
            _answer.set_error(make_shard_stopped());
        }
        _result.deliver(std::move(_answer));
        leave_pool();
        delete this;
    }
};

}  // namespace internal

// Calls func() on a thread of the pool (runtime_options::pool_thread_count), where it may block,
// and brings home what it returns or throws. func must not use futures or anything else of a shard.
//
// When main has ended, calls that run are waited for; those that do not run yet fail.
//
// Lifetime: func is moved (or copied) here and destroyed here, when the result is back.
// Shard:    a runtime's.
// Errors:   what func throws; shard_stopped once main has ended, or if no thread can be started.
// Cost:     one allocation, and a thread is woken: about 50 µs. Not for short work.
template <typename Func>
future<std::invoke_result_t<std::decay_t<Func>&>> run_in_pool(Func&& func) noexcept {
    using value = std::invoke_result_t<std::decay_t<Func>&>;
    static_assert(!internal::is_future<value>, "no shard runs here that could wait for a future");
    using call = internal::blocking_call_of<value, std::decay_t<Func>>;
    auto* sent = new call(std::forward<Func>(func));
    auto result = sent->get_future();
    internal::send_to_pool(*sent);
    return result;
}

}  // namespace miniss
