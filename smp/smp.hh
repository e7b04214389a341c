// Calls from one shard to another.
#pragma once

#include <concepts>
#include <cstddef>
#include <vector>

#include <miniss/core/do_with.hh>
#include <miniss/core/future.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/when_all.hh>
#include <miniss/smp/open_call.hh>
#include <miniss/smp/service_group.hh>

namespace miniss {

// What the caller of a shard gets that stopped before it had an answer.
struct shard_stopped : std::exception {
    const char* what() const noexcept override { return "the shard stopped before it answered"; }
};

// The number of shards of the runtime that the calling shard belongs to.
unsigned this_smp_shard_count() noexcept;

// A row of shard numbers, for loops.
class shard_range {
    unsigned _end;

public:
    class iterator {
        unsigned _shard;

    public:
        explicit iterator(unsigned shard) noexcept : _shard(shard) {}
        unsigned operator*() const noexcept { return _shard; }
        iterator& operator++() noexcept {
            ++_shard;
            return *this;
        }
        bool operator==(const iterator&) const noexcept = default;
    };

    explicit shard_range(unsigned count) noexcept : _end(count) {}
    iterator begin() const noexcept { return iterator(0); }
    iterator end() const noexcept { return iterator(_end); }
    std::size_t size() const noexcept { return _end; }
};

// What can be looped over for the numbers of shards: a vector of them, a shard_range.
template <typename Range>
concept shard_numbers = requires(Range& range) {
                            { *range.begin() } -> std::convertible_to<unsigned>;
                            range.end();
                        };

namespace internal {

// What of this shard's mailbox a call needs; out of line, so that calling includes little.
void* allocate_call(std::size_t bytes);
void free_call(void* call, std::size_t bytes) noexcept;
void send_request(unsigned to, task& call) noexcept;
void send_answer(unsigned to, task& call) noexcept;
void add_open_call(open_call& call) noexcept;
future<> wait_for_room(unsigned to) noexcept;
semaphore* find_credits(const smp_submit_to_options& options, unsigned to) noexcept;
std::exception_ptr make_shard_stopped() noexcept;

// A call on its way there and back. It is run twice: on the shard that was called, where it invokes
// the callable, and then at home, where it delivers the result and ends.
//
// Ownership: the calling shard allocates and frees it. The other one has it from when it is run
//            there until answer().
// Cost:      what the other shard touches comes first, so that it fits into a cache line or two.
template <typename T>
class remote_call : public task {
protected:
    future_state<T> _answer;

private:
    unsigned _home;
    unsigned _called;

public:
    // On the shard that was called.
    void answer(future_state<T>&& result) noexcept {
        _answer = std::move(result);
        send_answer(_home, *this);
    }

protected:
    remote_call(unsigned home, unsigned called, code_location where) noexcept
        : task(where), _home(home), _called(called) {}
    ~remote_call() = default;

    // What the caller waits for, and where an error comes from as far as he is concerned.
    code_location source() const noexcept {
        return code_location::named("answer of shard", _called);
    }
};

// Stands where a call could not be answered at once, and waits for the result on its behalf.
// A call that is abandoned goes home alone: the promise still knows this object, so it stays.
template <typename T, typename Call>
class unfinished_call final : public waiting_task<T>, public open_call {
    Call* _call;

public:
    explicit unfinished_call(Call& call) noexcept
        : waiting_task<T>(call.attached_at), _call(&call) {}

    void run_and_dispose() noexcept override {
        if (_call != nullptr) {
            _call->answer(std::move(this->state));
        }
        delete this;
    }

    void abandon() noexcept override {
        future_state<T> error;
        error.set_error(make_shard_stopped());
        std::exchange(_call, nullptr)->answer(std::move(error));
    }
};

// Has call.answer() called with what becomes of `result`.
template <typename T, typename Call>
void answer_when_ready(Call& call, future<T>&& result) noexcept {
    if (!result.available()) {
        auto* unfinished = new unfinished_call<T, Call>(call);
        add_open_call(*unfinished);
        result.wait_with(*unfinished);
        return;
    }
    future_state<T> ready;
    if (result.failed()) {
        const code_location origin = result.origin();
        ready.set_error(result.get_exception(), origin);
    } else if constexpr (std::is_void_v<T>) {
        result.get();
        ready.set_value();
    } else {
        ready.set_value(result.get());
    }
    call.answer(std::move(ready));
}

// The same with the callable, which never leaves the memory of the calling shard.
template <typename T, typename Func>
class remote_call_of final : public remote_call<T> {
    Func _func;
    promise_base<T> _result;
    semaphore* _credits;

public:
    // One unit of `credits`, if there are any, goes back when the call does.
    template <typename F>
    remote_call_of(unsigned home, unsigned called, semaphore* credits, F&& func,
                   code_location where)
        : remote_call<T>(home, called, where), _func(std::forward<F>(func)), _credits(credits) {}

    static void* operator new(std::size_t bytes) { return allocate_call(bytes); }
    static void operator delete(void* call, std::size_t bytes) noexcept { free_call(call, bytes); }
    // A func with an alignment of its own is rare, and left to the general allocator.
    static void* operator new(std::size_t bytes, std::align_val_t alignment) {
        return ::operator new(bytes, alignment);
    }
    static void operator delete(void* call, std::size_t, std::align_val_t alignment) noexcept {
        ::operator delete(call, alignment);
    }

    future<T> get_future() noexcept { return future<T>::make_pending(_result, this->source()); }

    void run_and_dispose() noexcept override {
        if (this->_answer.pending()) {
            answer_when_ready<T, remote_call<T>>(*this, invoke_at(this->attached_at, _func));
            return;
        }
        if (this->_answer.failed()) [[unlikely]] {
            _result.deliver_error(this->_answer.take_error(), this->source());
        } else {
            _result.deliver(std::move(this->_answer));
        }
        if (_credits != nullptr) {
            _credits->signal();
        }
        delete this;
    }
};

}  // namespace internal

// The shards of this process, seen from any of them.
//
// Shard: all calls on a shard.
class smp {
public:
    // How many there are, 1 or more, while main runs.
    inline static unsigned count = 0;

    // Calls func() on `shard`, and brings its result home: what func returns, what the future
    // that it returns gives, or an error.
    //
    // On this very shard func is invoked at once. Anywhere else it is invoked later, from the
    // other shard's run queue; calls from one shard to another one begin in their order.
    //
    // Lifetime: func is moved (or copied) here and destroyed here, together with its captures, once
    //           the result is back. Over there it is used by reference: it may move out of its
    //           captures, but what it leaves in them dies at home.
    // Errors:   what func throws or its future fails with. shard_stopped if main has ended and
    //           func's future can no longer become ready.
    // Cost:     at most one allocation, and none once there have been as many calls at a time
    //           before; one more, there, if func returns a future that is not ready. On this shard
    //           none, or one if func returns a future.
    template <typename Func>
    static futurize_t<std::invoke_result_t<std::decay_t<Func>&>> submit_to(
        unsigned shard, Func&& func, code_location where = code_location::current()) noexcept {
        if (shard == this_shard_id()) {
            return internal::invoke_kept(std::forward<Func>(func));
        }
        return submit_with(nullptr, shard, std::forward<Func>(func), where);
    }

    // The same within the limits of a service group: if too many calls of the group are on their
    // way from here to there, it waits for its turn, but not longer than options.timeout. Calls to
    // the own shard are not limited.
    // Errors: semaphore_timed_out or semaphore_aborted if there was no place in time; func was not
    //         called then.
    // Cost:   as above; one allocation more if it waits.
    template <typename Func>
    static futurize_t<std::invoke_result_t<std::decay_t<Func>&>> submit_to(
        unsigned shard, smp_submit_to_options options, Func&& func,
        code_location where = code_location::current()) noexcept {
        semaphore* credits =
            shard == this_shard_id() ? nullptr : internal::find_credits(options, shard);
        if (credits == nullptr) {
            return submit_to(shard, std::forward<Func>(func), where);
        }
        if (credits->try_wait()) {
            return submit_with(credits, shard, std::forward<Func>(func), where);
        }
        return get_units(*credits, 1, options.timeout, where)
            .then(
                [credits, shard, func = std::forward<Func>(func),
                 where](semaphore_units unit) mutable {
                    unit.release();
                    return submit_with(credits, shard, std::move(func), where);
                },
                where);
    }

    // Ready while not too many calls wait here for a place in the queue to that shard, and when
    // that is so again: for those who call without waiting for answers.
    static future<> wait_for_room(unsigned shard) noexcept {
        return shard == this_shard_id() ? make_ready_future<>() : internal::wait_for_room(shard);
    }

    // Calls a copy of `func` on each shard of a range at the same time, on every shard, or on every
    // other shard, and waits for all; with options: within the limits of a service group. Requires
    // that func() returns void or future<>.
    // Errors: if it fails on several shards, one of the errors.
    template <shard_numbers Range, typename Func>
        requires std::same_as<futurize_t<std::invoke_result_t<Func&>>, future<>>
    static future<> invoke_on(const Range& shards, smp_submit_to_options options, const Func& func,
                              code_location where = code_location::current()) noexcept {
        return parallel_for_each(
            shards,
            [options, &func, where](unsigned shard) {
                return submit_to(shard, options, Func(func), where);
            },
            where);
    }
    template <shard_numbers Range, typename Func>
        requires std::same_as<futurize_t<std::invoke_result_t<Func&>>, future<>>
    static future<> invoke_on(const Range& shards, const Func& func,
                              code_location where = code_location::current()) noexcept {
        return invoke_on(shards, {}, func, where);
    }
    template <typename Func>
        requires std::same_as<futurize_t<std::invoke_result_t<Func&>>, future<>>
    static future<> invoke_on_all(const Func& func,
                                  code_location where = code_location::current()) noexcept {
        return invoke_on(all_cpus(), func, where);
    }
    template <typename Func>
        requires std::invocable<Func&>
    static future<> invoke_on_all(smp_submit_to_options options, const Func& func,
                                  code_location where = code_location::current()) noexcept {
        return invoke_on(all_cpus(), options, func, where);
    }
    template <typename Func>
        requires std::same_as<futurize_t<std::invoke_result_t<Func&>>, future<>>
    static future<> invoke_on_others(const Func& func,
                                     code_location where = code_location::current()) noexcept {
        return invoke_on_others({}, func, where);
    }
    template <typename Func>
        requires std::invocable<Func&>
    static future<> invoke_on_others(smp_submit_to_options options, const Func& func,
                                     code_location where = code_location::current()) noexcept {
        return parallel_for_each(
            all_cpus(),
            [options, &func, where](unsigned shard) {
                return shard == this_shard_id() ? make_ready_future<>()
                                                : submit_to(shard, options, Func(func), where);
            },
            where);
    }

    // The same for a func that gives a value: a vector of the values, in the order of the range.
    template <shard_numbers Range, typename Func>
    static auto map(const Range& shards, const Func& func) noexcept {
        using answer = futurize_t<std::invoke_result_t<Func&>>;
        std::vector<answer> answers;
        try {
            for (const unsigned shard : shards) {
                answers.push_back(submit_to(shard, Func(func)));
            }
        } catch (...) {  // Copying func.
            answers.push_back(current_exception_as_future<typename answer::value_type>());
        }
        return when_all_succeed(answers.begin(), answers.end());
    }

    // Folds these values: reduce(... reduce(reduce(initial, of the first), of the second) ...).
    template <shard_numbers Range, typename Func, typename Initial, typename Reduce>
    static future<Initial> map_reduce(const Range& shards, const Func& func, Initial initial,
                                      Reduce reduce) noexcept {
        return map(shards, func)
            .then([initial = std::move(initial), reduce = std::move(reduce)](auto&& all) mutable {
                using value = typename std::decay_t<decltype(all)>::value_type;
                for (auto&& each : all) {
                    initial = reduce(std::move(initial), static_cast<value>(std::move(each)));
                }
                return std::move(initial);
            });
    }

    // The numbers of all shards, from 0.
    static shard_range all_cpus() noexcept { return shard_range(this_smp_shard_count()); }

private:
    template <typename Func>
    static auto submit_with(semaphore* credits, unsigned shard, Func&& func,
                            code_location where) noexcept {
        using result = futurize_t<std::invoke_result_t<std::decay_t<Func>&>>;
        using call = internal::remote_call_of<typename result::value_type, std::decay_t<Func>>;
        auto* sent = new call(this_shard_id(), shard, credits, std::forward<Func>(func), where);
        auto answer = sent->get_future();
        internal::send_request(shard, *sent);
        return answer;
    }
};

}  // namespace miniss
