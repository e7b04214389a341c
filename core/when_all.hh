// Waiting for several futures at once.
#pragma once

#include <tuple>
#include <vector>

#include <miniss/core/future.hh>

namespace miniss {

namespace internal {

inline constexpr auto when_all_name = code_location::named("when_all");

// Collects futures that become ready in any order. Everything that is already ready is only
// moved; each pending one costs an allocation.
template <typename... F>
class all_collector : public in_task_memory {
    std::tuple<F...> _futures;
    std::size_t _pending_count = 1;  // The caller, until it has looked at all.
    promise<std::tuple<F...>> _done;

public:
    explicit all_collector(F&&... futures) noexcept : _futures(std::move(futures)...) {}

    future<std::tuple<F...>> collect() noexcept {
        auto done = _done.get_future(when_all_name);
        std::apply(
            [this](F&... each) {
                (void)this;  // Where there are none, it would be an unused capture.
                (watch(each), ...);
            },
            _futures);
        end();
        return done;
    }

private:
    template <typename T>
    void watch(future<T>& one) noexcept {
        if (!one.available()) {
            ++_pending_count;
            (void)std::move(one).then_wrapped(
                [this, &one](future<T> ended) {
                    one = std::move(ended);
                    end();
                },
                when_all_name);
        }
    }

    void end() noexcept {
        if (--_pending_count == 0) {
            _done.set_value(std::move(_futures));
            delete this;
        }
    }
};

// The same for any number of futures of one type.
template <typename F>
class range_collector : public in_task_memory {
    std::vector<F> _futures;
    std::size_t _pending_count = 1;
    promise<std::vector<F>> _done;

public:
    explicit range_collector(std::vector<F>&& futures) noexcept : _futures(std::move(futures)) {}

    future<std::vector<F>> collect() noexcept {
        auto done = _done.get_future(when_all_name);
        for (F& one : _futures) {
            if (!one.available()) {
                ++_pending_count;
                (void)std::move(one).then_wrapped(
                    [this, &one](F ended) {
                        one = std::move(ended);
                        end();
                    },
                    when_all_name);
            }
        }
        end();
        return done;
    }

private:
    void end() noexcept {
        if (--_pending_count == 0) {
            _done.set_value(std::move(_futures));
            delete this;
        }
    }
};

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
// ready futures. Never fails; the caller looks into each.
template <typename... F>
auto when_all(F&&... futures) noexcept {
    auto* all =
        new internal::all_collector<decltype(internal::future_from(std::forward<F>(futures)))...>(
            internal::future_from(std::forward<F>(futures))...);
    return all->collect();
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
    return (new internal::range_collector<element>(std::move(futures)))->collect();
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
