// The links of a chain: tasks that wait for one future, call a function and feed the next future.
#pragma once

#include <miniss/core/promise.hh>

namespace miniss {

namespace internal {

template <typename T>
inline constexpr bool is_future = false;
template <typename T>
inline constexpr bool is_future<future<T>> = true;

}  // namespace internal

// future<T> both for T and for future<T>: chains never nest futures.
template <typename T>
struct futurize {
    using type = future<T>;
    using value_type = T;
};
template <typename T>
struct futurize<future<T>> {
    using type = future<T>;
    using value_type = T;
};
template <typename T>
using futurize_t = typename futurize<T>::type;

namespace internal {

// futurize_invoke() for a func that was attached at `where`: what it throws comes from there.
template <typename Func, typename... A>
futurize_t<std::invoke_result_t<Func, A...>> invoke_at(code_location where, Func&& func,
                                                       A&&... args) noexcept {
    using result = std::invoke_result_t<Func, A...>;
    try {
        if constexpr (is_future<result>) {
            return std::forward<Func>(func)(std::forward<A>(args)...);
        } else if constexpr (std::is_void_v<result>) {
            std::forward<Func>(func)(std::forward<A>(args)...);
            return futurize_t<result>::make_ready();
        } else {
            return futurize_t<result>::make_ready(
                std::forward<Func>(func)(std::forward<A>(args)...));
        }
    } catch (...) {
        return futurize_t<result>::make_failed(std::current_exception(), where);
    }
}

// What Func gives when it is called with the value of a future<T>.
template <typename Func, typename T>
struct call_with_value {
    using type = std::invoke_result_t<Func, T>;
};
template <typename Func>
struct call_with_value<Func, void> {
    using type = std::invoke_result_t<Func>;
};

template <typename Func, typename T>
concept takes_value_of = (std::is_void_v<T> && std::invocable<Func>) ||
                         (!std::is_void_v<T> && std::invocable<Func, T>);

template <typename Func, typename T>
using then_result_t = futurize_t<typename call_with_value<Func, T>::type>;

template <typename Func, typename T>
then_result_t<Func, T> invoke_with_value(Func&& func, future_state<T>& state,
                                         code_location where) noexcept {
    if constexpr (std::is_void_v<T>) {
        state.clear();
        return invoke_at(where, std::forward<Func>(func));
    } else {
        return invoke_at(where, std::forward<Func>(func), state.take_value());
    }
}

// The type E of a callable that takes E, E& or const E&.
template <typename Func>
struct only_argument : only_argument<decltype(&Func::operator())> {};
template <typename R, typename C, typename A>
struct only_argument<R (C::*)(A)> {
    using type = std::remove_cvref_t<A>;
};
template <typename R, typename C, typename A>
struct only_argument<R (C::*)(A) const> {
    using type = std::remove_cvref_t<A>;
};

// Waits for a future<T>, calls Func with its value, and passes the result to the next in line.
template <typename T, typename Func>
class then_continuation final : public waiting_task<T> {
    using result_future = then_result_t<Func, T>;
    Func _func;
    promise_base<typename result_future::value_type> _result;

public:
    then_continuation(Func&& func, code_location where)
        : waiting_task<T>(where), _func(std::move(func)) {}
    then_continuation(const Func& func, code_location where)
        : waiting_task<T>(where), _func(func) {}
    result_future get_future() noexcept { return result_future::make_pending(_result); }

    void run_and_dispose() noexcept override {
        if (this->state.failed()) [[unlikely]] {
            _result.deliver_error(this->state.take_error(), this->state.origin());
        } else {
            invoke_with_value<Func&, T>(_func, this->state, this->attached_at)
                .forward_to(std::move(_result));
        }
        delete this;
    }

    task_ties ties() const noexcept override { return this->tied_to(_result.waiter()); }
};

// The same for callables that take the future itself, whether it succeeded or failed.
template <typename T, typename Func>
class wrapped_continuation final : public waiting_task<T> {
    using result_future = futurize_t<std::invoke_result_t<Func, future<T>>>;
    Func _func;
    promise_base<typename result_future::value_type> _result;

public:
    wrapped_continuation(Func&& func, code_location where)
        : waiting_task<T>(where), _func(std::move(func)) {}
    wrapped_continuation(const Func& func, code_location where)
        : waiting_task<T>(where), _func(func) {}
    result_future get_future() noexcept { return result_future::make_pending(_result); }

    void run_and_dispose() noexcept override {
        invoke_at(this->attached_at, _func, future<T>(std::move(this->state)))
            .forward_to(std::move(_result));
        delete this;
    }

    task_ties ties() const noexcept override { return this->tied_to(_result.waiter()); }
};

}  // namespace internal

// Calls func(args...) and returns its result as a future: a value becomes a ready future, a
// future is passed on, and what is thrown becomes a failed future.
template <typename Func, typename... A>
futurize_t<std::invoke_result_t<Func, A...>> futurize_invoke(Func&& func, A&&... args) noexcept {
    return internal::invoke_at({}, std::forward<Func>(func), std::forward<A>(args)...);
}

}  // namespace miniss
