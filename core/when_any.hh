// Waiting for the first of several futures.
#pragma once

#include <memory>

#include <miniss/core/when_all.hh>

namespace miniss {

// All futures that were waited for, as a tuple or a vector; the one at `index` is ready. The
// others may still be pending, and are the caller's to wait for.
template <typename Futures>
struct when_any_result {
    std::size_t index;
    Futures futures;
};

namespace internal {

template <typename Futures>
class any_collector : public std::enable_shared_from_this<any_collector<Futures>> {
    Futures _futures;
    bool _done = false;
    promise<when_any_result<Futures>> _first;

public:
    explicit any_collector(Futures&& futures) noexcept : _futures(std::move(futures)) {}

    future<when_any_result<Futures>> get_future() noexcept {
        return _first.get_future(code_location::named("when_any"));
    }
    Futures& futures() noexcept { return _futures; }

    // Puts a future in the place of `one` which becomes ready with it, and is noticed here.
    template <typename T>
    void watch(std::size_t index, future<T>& one) noexcept {
        if (one.available()) {
            found(index);
        }
        if (_done) {
            return;
        }
        promise<T> passed_on;
        auto substitute = passed_on.get_future(one.origin());
        (void)one.then_wrapped(
            [all = this->shared_from_this(), passed_on = std::move(passed_on),
             index](future<T> ended) mutable {
                ended.forward_to(std::move(passed_on));
                all->found(index);
            },
            code_location::named("when_any"));
        one = std::move(substitute);
    }

private:
    void found(std::size_t index) noexcept {
        if (!std::exchange(_done, true)) {
            _first.set_value(when_any_result<Futures>{index, std::move(_futures)});
        }
    }
};

}  // namespace internal

// Ready once one of the arguments is, each a future or a callable that returns one. Never fails;
// the caller looks into the one at `index`, and then cares for the others.
// Cost: two allocations for each pending one.
template <typename... F>
    requires(sizeof...(F) > 0)
auto when_any(F&&... futures) {
    using tuple = std::tuple<decltype(internal::future_from(std::forward<F>(futures)))...>;
    auto all = std::make_shared<internal::any_collector<tuple>>(
        tuple(internal::future_from(std::forward<F>(futures))...));
    auto first = all->get_future();
    std::apply(
        [&all](auto&... each) {
            std::size_t index = 0;
            (all->watch(index++, each), ...);
        },
        all->futures());
    return first;
}

// The same for the futures of [begin, end), which are moved from. There must be at least one.
template <typename Iterator>
    requires requires(Iterator i) { ++i, *i; }
auto when_any(Iterator begin, Iterator end) {
    MINISS_ASSERT(begin != end);
    using element = std::decay_t<decltype(*begin)>;
    std::vector<element> futures;
    for (; begin != end; ++begin) {
        futures.push_back(std::move(*begin));
    }
    auto all = std::make_shared<internal::any_collector<std::vector<element>>>(std::move(futures));
    auto first = all->get_future();
    for (std::size_t index = 0; index < all->futures().size(); ++index) {
        all->watch(index, all->futures()[index]);
    }
    return first;
}

}  // namespace miniss
