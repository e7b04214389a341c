// Futures and continuation chains: the reading end of a value that may not exist yet.
#pragma once

#include <tuple>

#include <miniss/core/continuation.hh>
#include <miniss/core/fiber.hh>

namespace miniss {

// What finally() gives when both the future and the callback failed.
struct nested_exception : std::exception {
    std::exception_ptr inner;  // The callback's.
    std::exception_ptr outer;  // The original one.

    nested_exception(std::exception_ptr callback_error, std::exception_ptr original) noexcept
        : inner(std::move(callback_error)), outer(std::move(original)) {}
    const char* what() const noexcept override { return "nested exception"; }
};

// The reading end of one value (or of nothing but success, for future<>) or of an error.
//
// A future is used once: by then() and its relatives, get(), forward_to() or by being moved.
// What is chained runs as soon as the result is there: at once, on the caller's stack, if it is
// there already (and the result is then a future that may be ready too), otherwise as a task of
// its own. Nothing thrown by a callback leaves then(): it fails the future that then() returned.
//
// Lifetime: callbacks are moved into the chain, and destroyed right after they ran. An error
//           that nobody has read when the future is destroyed is reported (core/report.hh).
// Shard:    all of a chain lives and runs on the shard that created its promise.
// Errors:   running out of memory in then() ends the process.
// Cost:     nothing on a ready future; one allocation for each callback on a pending one.
template <typename T>
class [[nodiscard]] future {
    internal::future_state<T> _state;
    internal::promise_base<T>* _promise = nullptr;

    friend class internal::promise_base<T>;
    friend class promise<T>;
    template <typename>
    friend class future;
    template <typename U, typename Func>
    friend class internal::then_continuation;
    template <typename U, typename Func>
    friend class internal::wrapped_continuation;

public:
    using value_type = T;

    future(future&& other) noexcept { move_from(other); }
    future& operator=(future&& other) noexcept {
        if (this != &other) {
            detach();
            move_from(other);
        }
        return *this;
    }
    ~future() { detach(); }

    // True once there is a value or an error.
    bool available() const noexcept { return _state.available(); }
    bool failed() const noexcept { return _state.failed(); }

    // Returns once there is a value or an error: for functions that run in a fiber
    // (core/thread.hh). Elsewhere requires available().
    void wait(code_location where = code_location::current()) noexcept {
        if (!available()) [[unlikely]] {
            internal::wait_in_fiber(*this, where);
        }
    }

    // Waits, and takes the value, or throws the error.
    T get(code_location where = code_location::current()) {
        wait(where);
        if (failed()) [[unlikely]] {
            std::rethrow_exception(_state.take_error());
        }
        if constexpr (std::is_void_v<T>) {
            _state.clear();
        } else {
            return _state.take_value();
        }
    }

    // Takes the error. Requires failed().
    std::exception_ptr get_exception() noexcept { return _state.take_error(); }

    // Drops a result that is there, and with it the report of an error. Requires available().
    void ignore_ready_future() noexcept {
        MINISS_ASSERT(available());
        _state.clear();
    }

    // Calls func(value) once there is a value; an error skips `func`. Returns the future of
    // func's result.
    template <typename Func>
        requires internal::takes_value_of<Func, T>
    internal::then_result_t<Func, T> then(Func&& func,
                                          code_location where = code_location::current()) noexcept {
        if (_state.has_value() && !internal::deferred_by_chance()) {
            return internal::invoke_with_value<Func, T>(std::forward<Func>(func), _state, where);
        }
        if (_state.failed() && !internal::deferred_by_chance()) [[unlikely]] {
            return internal::then_result_t<Func, T>::make_failed(_state.take_error(),
                                                                 _state.origin());
        }
        using continuation = internal::then_continuation<T, std::decay_t<Func>>;
        return attach<continuation>(std::forward<Func>(func), where);
    }

    // Calls func(elements...) once there is a tuple.
    template <typename Func>
    auto then_unpack(Func&& func, code_location where = code_location::current()) noexcept {
        return then([func = std::forward<Func>(func)](
                        T&& value) mutable { return std::apply(func, std::move(value)); },
                    where);
    }

    // Calls func(this future) once it is ready, whether it succeeded or failed.
    template <typename Func>
        requires std::invocable<Func, future<T>>
    futurize_t<std::invoke_result_t<Func, future<T>>> then_wrapped(
        Func&& func, code_location where = code_location::current()) noexcept {
        if (_state.available() && !internal::deferred_by_chance()) {
            return internal::invoke_at(where, std::forward<Func>(func), std::move(*this));
        }
        using continuation = internal::wrapped_continuation<T, std::decay_t<Func>>;
        return attach<continuation>(std::forward<Func>(func), where);
    }

    // Calls func(error) if there is one; what it returns takes the place of the value.
    template <typename Func>
        requires std::invocable<Func, std::exception_ptr>
    future handle_exception(Func&& func, code_location where = code_location::current()) noexcept {
        if (_state.has_value()) {
            return std::move(*this);
        }
        if (_state.failed() && !internal::deferred_by_chance()) {
            return internal::invoke_at(where, std::forward<Func>(func), _state.take_error());
        }
        auto handle = [func = std::forward<Func>(func), where](future ready) mutable -> future {
            if (!ready.failed()) {
                return ready;
            }
            return internal::invoke_at(where, func, ready.get_exception());
        };
        return attach<internal::wrapped_continuation<T, decltype(handle)>>(std::move(handle),
                                                                           where);
    }

    // The same for one type of error, E, where func takes an E&; others pass by.
    template <typename Func>
    future handle_exception_type(Func&& func,
                                 code_location where = code_location::current()) noexcept {
        using error_type = typename internal::only_argument<std::decay_t<Func>>::type;
        return then_wrapped(
            [func = std::forward<Func>(func), where](future ready) mutable -> future {
                if (!ready.failed()) {
                    return ready;
                }
                try {
                    std::rethrow_exception(ready._state.error());
                } catch (error_type& matching) {
                    ready._state.clear();
                    return internal::invoke_at(where, func, matching);
                } catch (...) {
                    return ready;
                }
            },
            where);
    }

    // Calls func() in any case, waits for what it returns, and then passes this future's own
    // result on. If func fails, its error comes instead; if both fail, a nested_exception.
    template <typename Func>
        requires std::invocable<Func>
    future finally(Func&& func, code_location where = code_location::current()) noexcept {
        return then_wrapped(
            [func = std::forward<Func>(func), where](future ready) mutable -> future {
                auto cleanup = internal::invoke_at(where, func);
                if (cleanup.available() && !cleanup.failed()) {
                    return ready;
                }
                return cleanup.then_wrapped(
                    [ready = std::move(ready), where](auto ended) mutable -> future {
                        if (!ended.failed()) {
                            return std::move(ready);
                        }
                        if (!ready.failed()) {
                            return make_failed(ended.get_exception(), where);
                        }
                        return make_failed(std::make_exception_ptr(nested_exception(
                                               ended.get_exception(), ready.get_exception())),
                                           where);
                    },
                    where);
            },
            where);
    }

    // Gives the result, or timed_out_error if there is none within `limit`; the work goes on.
    // Requires <miniss/timer/with_timeout.hh>, which has more to say.
    template <typename Duration>
    future with_timeout(Duration limit) {
        return timeout(limit, std::move(*this));
    }

    // Drops the value and keeps the error.
    future<void> discard_result(code_location where = code_location::current()) noexcept {
        if constexpr (std::is_void_v<T>) {
            return std::move(*this);
        } else {
            return then([](T&&) {}, where);
        }
    }

    // Ends the process on an error: for work that must not fail.
    future<void> or_terminate(code_location where = code_location::current()) noexcept {
        return then_wrapped(
            [](future ready) {
                if (ready.failed()) {
                    const code_location origin = ready.origin();
                    internal::terminate_for(ready.get_exception(), origin);
                }
                ready.ignore_ready_future();
            },
            where);
    }

    // Passes the result, once it is there, to the future of `target`. Allocates nothing.
    void forward_to(promise<T>&& target) noexcept {
        if (target._state == &target._own) {  // Nobody asked for its future.
            target._state = nullptr;
        }
        target.mark_set();
        forward_to(static_cast<internal::promise_base<T>&&>(target));
    }

    // For loops and other tasks that wait more than once without allocating: the result is put
    // into waiter.state, and the waiter is scheduled.
    void wait_with(internal::waiting_task<T>& waiter) noexcept {
        if (_state.available()) {
            waiter.state.receive(std::move(_state));
            schedule(waiter);
            return;
        }
        MINISS_ASSERT(_promise != nullptr);  // Otherwise this future was used before.
        waiter.state.set_origin(_state.origin());
        _promise->_state = &waiter.state;
        _promise->_waiter = &waiter;
        _promise->_future = nullptr;
        _promise = nullptr;
        internal::begin_to_wait(waiter);
    }

    // For tasks that hold this future at one address until they run: the result stays in here. If
    // the future dies before, the task will not be run.
    void wake_when_ready(task& waiter) noexcept {
        if (_state.available()) {
            schedule(waiter);
            return;
        }
        MINISS_ASSERT(_promise != nullptr);  // Otherwise this future was used before.
        _promise->_waiter = &waiter;
        internal::begin_to_wait(waiter);
    }

    // What its result will come from; if it has failed, where its error came from.
    const code_location& origin() const noexcept { return _state.origin(); }

    template <typename... A>
    static future make_ready(A&&... args) {
        future ready;
        ready._state.set_value(std::forward<A>(args)...);
        return ready;
    }
    static future make_failed(std::exception_ptr error, code_location origin = {}) noexcept {
        future failed;
        failed._state.set_error(std::move(error), origin);
        return failed;
    }

// The link is patched when the future moves and cut when it dies, in detach(). g++ 12 loses sight
// of that where everything is inlined into one function, and takes the link for a dangling one.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdangling-pointer"
#endif
    static future make_pending(internal::promise_base<T>& source,
                               code_location origin = {}) noexcept {
        future pending{internal::future_state<T>(origin)};
        pending._promise = &source;
        source._future = &pending;
        source._state = &pending._state;
        return pending;
    }
#ifndef __clang__
#pragma GCC diagnostic pop
#endif

    void forward_to(internal::promise_base<T>&& target) noexcept {
        if (_state.available()) {
            target.deliver(std::move(_state));
            return;
        }
        MINISS_ASSERT(_promise != nullptr);  // Otherwise this future was used before.
        internal::promise_base<T>& source = *_promise;
        _promise = nullptr;
        if (target._state != nullptr) {
            target._state->set_origin(_state.origin());
        }
        source.take_over(target);  // From now on our promise feeds the target's reader itself.
    }

private:
    future() noexcept = default;
    explicit future(internal::future_state<T>&& state) noexcept : _state(std::move(state)) {}

    // The future of a new link of the chain, which waits for this one. A function of its own, as
    // then the future that it returns is made where its caller wants it.
    template <typename Continuation, typename Func>
    auto attach(Func&& func, code_location where) noexcept {
        auto* waiter = new Continuation(std::forward<Func>(func), where);
        auto result = waiter->get_future();
        wait_with(*waiter);
        return result;
    }

    void detach() noexcept {
        if (_promise != nullptr) {
            _promise->lose_future();
            _promise = nullptr;
        }
        if (_state.failed()) [[unlikely]] {
            report();
        }
    }

    // Not inlined, as it would weigh on every place where a future dies.
    [[gnu::noinline, gnu::cold]] void report() noexcept {
        internal::report_ignored_failure(_state.take_error(), _state.origin());
    }

    void move_from(future& other) noexcept {
        _state = std::move(other._state);  // Pending too: a value may have been here before.
        if (other._promise == nullptr) {
            return;
        }
        _promise = other._promise;
        other._promise = nullptr;
        _promise->_future = this;
        _promise->_state = &_state;
    }
};

// A future that has its value already.
template <typename T = void, typename... A>
future<T> make_ready_future(A&&... args) {
    return future<T>::make_ready(std::forward<A>(args)...);
}

// A future that has failed already.
template <typename T = void>
future<T> make_exception_future(std::exception_ptr error,
                                code_location where = code_location::current()) noexcept {
    return future<T>::make_failed(std::move(error), where);
}
template <typename T = void, typename E>
    requires(!std::same_as<std::decay_t<E>, std::exception_ptr>)
future<T> make_exception_future(E&& error,
                                code_location where = code_location::current()) noexcept {
    return future<T>::make_failed(std::make_exception_ptr(std::forward<E>(error)), where);
}

// The exception that is being handled, as a future. Requires a catch block around it.
template <typename T = void>
future<T> current_exception_as_future(code_location where = code_location::current()) noexcept {
    return future<T>::make_failed(std::current_exception(), where);
}

// Lets `work` go on by itself. If it fails, the error is reported under this name, and counted
// like an ignored one.
// Lifetime: `name` is usually a literal; it must live until the work has ended.
template <typename T>
void run_in_background(const char* name, future<T> work) noexcept {
    (void)work.then_wrapped(
        [name](future<T> ended) {
            if (ended.failed()) {
                internal::report_background_failure(name, ended.get_exception(), ended.origin());
            } else {
                ended.ignore_ready_future();
            }
        },
        code_location::named(name));
}

// futurize_invoke() with the arguments in a tuple.
template <typename Func, typename... A>
auto futurize_apply(Func&& func, std::tuple<A...>&& args) noexcept {
    return std::apply(
        [&func](A&&... unpacked) {
            return futurize_invoke(std::forward<Func>(func), std::forward<A>(unpacked)...);
        },
        std::move(args));
}

// ---------------------------------------------------------------------------------------------
// What of promise needs to know a future.

template <typename T>
future<T> promise<T>::get_future(code_location where) noexcept {
    MINISS_ASSERT(this->_state == &_own);  // Otherwise: called twice, or moved from.
    if (_own.available()) {
        this->_state = nullptr;
        return future<T>(std::move(_own));
    }
    return future<T>::make_pending(*this, where);
}

template <typename T>
void internal::promise_base<T>::wake_reader() noexcept {
    if (_future != nullptr) {
        _future->_promise = nullptr;
        _future = nullptr;
    }
    _state = nullptr;
    if (_waiter != nullptr) {
        wake(*_waiter);
        _waiter = nullptr;
    }
}

template <typename T>
void internal::promise_base<T>::take_over(promise_base& other) noexcept {
    _state = other._state;
    _future = other._future;
    _waiter = other._waiter;
    other._state = nullptr;
    other._future = nullptr;
    other._waiter = nullptr;
    if (_future != nullptr) {
        _future->_promise = this;
    }
}

}  // namespace miniss
