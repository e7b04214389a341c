// Values, and callables, that live as long as a chain needs them.
#pragma once

#include <tuple>

#include <miniss/core/future.hh>

namespace miniss {

namespace internal {

// Holds values until the future of the work that refers to them is ready.
template <typename T, typename... Values>
class kept_values final : public waiting_task<T> {
    std::tuple<Values...> _values;
    promise_base<T> _result;

public:
    template <typename... V>
    explicit kept_values(std::tuple<V...>&& values)
        : waiting_task<T>(code_location::named("do_with")), _values(std::move(values)) {}

    std::tuple<Values...>& values() noexcept { return _values; }

    // Passes on the result of `work` and then deletes *this.
    future<T> outlive(future<T>&& work) noexcept {
        if (work.available()) {
            delete this;
            return std::move(work);
        }
        auto result = future<T>::make_pending(_result);
        work.wait_with(*this);
        return result;
    }

    void run_and_dispose() noexcept override {
        _result.deliver(std::move(this->state));
        delete this;
    }

    task_ties ties() const noexcept override { return this->tied_to(_result.waiter()); }
};

// Calls func() and keeps func at one address until its future is ready. A callable without
// captures has nothing to keep.
template <typename Func>
auto invoke_kept(Func&& func) noexcept {
    using kept_func = std::decay_t<Func>;
    using result = std::invoke_result_t<kept_func&>;
    if constexpr (!is_future<result> || std::is_empty_v<kept_func>) {
        return futurize_invoke(func);
    } else {
        auto* kept = new kept_values<typename result::value_type, kept_func>(
            std::forward_as_tuple(std::forward<Func>(func)));
        return kept->outlive(futurize_invoke(std::get<0>(kept->values())));
    }
}

// Splits the arguments of do_with(), whose callable comes last.
template <typename... A, std::size_t... I>
auto do_with_split(std::tuple<A...>&& all, std::index_sequence<I...>) noexcept {
    constexpr auto last = sizeof...(I);
    using func = std::tuple_element_t<last, std::tuple<std::decay_t<A>...>>;
    using result = futurize_t<
        std::invoke_result_t<func&, std::decay_t<std::tuple_element_t<I, std::tuple<A...>>>&...>>;
    auto* kept = new kept_values<typename result::value_type, std::decay_t<A>...>(std::move(all));
    return kept->outlive(
        futurize_invoke(std::get<last>(kept->values()), std::get<I>(kept->values())...));
}

}  // namespace internal

// do_with(values..., func): calls func(value&...) and keeps the values, and func, at one address
// until the future that func returned is ready.
// Cost: one allocation.
template <typename First, typename... Rest>
auto do_with(First&& first, Rest&&... rest) noexcept {
    return internal::do_with_split(
        std::forward_as_tuple(std::forward<First>(first), std::forward<Rest>(rest)...),
        std::make_index_sequence<sizeof...(Rest)>());
}

}  // namespace miniss
