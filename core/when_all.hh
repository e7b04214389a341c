// Waiting for several futures at once.
#pragma once

#include <tuple>
#include <vector>

#include <miniss/core/future.hh>
#include <miniss/core/suspended_task.hh>

namespace miniss {

namespace internal {

inline constexpr auto when_all_name = code_location::named("when_all");

// Waits for the futures that it holds, one after the other: the order in which they become ready
// does not matter to who waits for all.
template <typename Futures>
class all_collector final : public suspended_task {
    Futures _futures;
    std::size_t _ready_count = 0;  // In a vector, from its begin.
    promise_base<Futures> _done;

public:
    explicit all_collector(Futures&& futures) noexcept : _futures(std::move(futures)) {}

    future<Futures> collect() noexcept {
        auto done = future<Futures>::make_pending(_done, when_all_name);
        run_and_dispose();
        return done;
    }

    void run_and_dispose() noexcept override {
        if (!waits_for_any(_futures)) {
            _done.deliver_value(std::move(_futures));
            delete this;
        }
    }
    task_ties ties() const noexcept override { return tied_to(_done.waiter()); }

private:
    template <typename F>
    bool waits_for(F& one) noexcept {
        if (one.available()) {
            return false;
        }
        await(one, when_all_name);
        return true;
    }
    template <typename... F>
    bool waits_for_any(std::tuple<F...>& futures) noexcept {
        return std::apply([&](F&... each) { return (waits_for(each) || ...); }, futures);
    }
    template <typename F>
    bool waits_for_any(std::vector<F>& futures) noexcept {
        while (_ready_count != futures.size() && !waits_for(futures[_ready_count])) {
            ++_ready_count;
        }
        return _ready_count != futures.size();
    }
};

template <typename... F>
bool all_available(const std::tuple<F...>& futures) noexcept {
    return std::apply([](const F&... each) { return (each.available() && ...); }, futures);
}
template <typename F>
bool all_available(const std::vector<F>& futures) noexcept {
    for (const F& each : futures) {
        if (!each.available()) {
            return false;
        }
    }
    return true;
}

// Gives them back once all are ready.
template <typename Futures>
future<Futures> collect(Futures&& futures) noexcept {
    if (all_available(futures)) {
        return future<Futures>::make_ready(std::move(futures));
    }
    return (new all_collector<Futures>(std::move(futures)))->collect();
}

// A future stays what it is; a callable is called for its future.
template <typename F>
auto future_from(F&& future_or_func) noexcept {
    if constexpr (is_future<std::decay_t<F>>) {
        return std::decay_t<F>(std::forward<F>(future_or_func));
    } else {
        return futurize_invoke(std::forward<F>(future_or_func));
    }
}

// A one-element tuple with the value, or an empty one for future<>. Requires success.
template <typename T>
auto value_tuple(future<T>& ready) {
    if constexpr (std::is_void_v<T>) {
        ready.get();
        return std::tuple<>();
    } else {
        return std::tuple<T>(ready.get());
    }
}

// Takes the first error out of a row of ready futures, and drops the others.
class first_error {
    std::exception_ptr _error;

public:
    template <typename T>
    void look_at(future<T>& ready) noexcept {
        if (ready.failed()) {
            std::exception_ptr error = ready.get_exception();
            if (!_error) {
                _error = std::move(error);
            }
        }
    }
    std::exception_ptr take() noexcept { return std::move(_error); }
};

}  // namespace internal

// Waits for all arguments, each a future or a callable that returns one, and gives a tuple of
// ready futures. Callables are called in their order. Never fails; the caller looks into each.
// Cost: one allocation, and none if all are ready.
template <typename... F>
auto when_all(F&&... futures) noexcept {
    return internal::collect(
        std::tuple<decltype(internal::future_from(std::forward<F>(futures)))...>{
            internal::future_from(std::forward<F>(futures))...});
}

// The same for the futures of [begin, end), which are moved from; gives a vector.
template <typename Iterator>
    requires requires(Iterator i) { ++i, *i; }
auto when_all(Iterator begin, Iterator end) noexcept {
    using element = std::decay_t<decltype(*begin)>;
    std::vector<element> futures;
    for (; begin != end; ++begin) {
        futures.push_back(std::move(*begin));
    }
    return internal::collect(std::move(futures));
}

// Waits for all arguments, then gives a tuple of their values, without those of future<>. If some
// failed, the result is the error of the first of them in order of the arguments.
template <typename... F>
auto when_all_succeed(F&&... futures) noexcept {
    return when_all(std::forward<F>(futures)...).then([](auto&& ready) {
        return std::apply(
            [](auto&... each) {
                using values = decltype(std::tuple_cat(internal::value_tuple(each)...));
                internal::first_error errors;
                (errors.look_at(each), ...);
                if (auto error = errors.take()) {
                    return make_exception_future<values>(std::move(error));
                }
                return make_ready_future<values>(std::tuple_cat(internal::value_tuple(each)...));
            },
            ready);
    });
}

// The same for the futures of [begin, end): a vector of values, or nothing for future<>.
template <typename Iterator>
    requires requires(Iterator i) { ++i, *i; }
auto when_all_succeed(Iterator begin, Iterator end) noexcept {
    using value = typename std::decay_t<decltype(*begin)>::value_type;
    return when_all(begin, end).then([](auto&& ready) {
        using result = std::conditional_t<std::is_void_v<value>, future<>,
                                          future<std::vector<internal::stored<value>>>>;
        internal::first_error errors;
        for (auto& each : ready) {
            errors.look_at(each);
        }
        if (auto error = errors.take()) {
            return result::make_failed(std::move(error));
        }
        if constexpr (std::is_void_v<value>) {
            return result::make_ready();
        } else {
            std::vector<value> values;
            values.reserve(ready.size());
            for (auto& each : ready) {
                values.push_back(each.get());
            }
            return result::make_ready(std::move(values));
        }
    });
}

}  // namespace miniss
