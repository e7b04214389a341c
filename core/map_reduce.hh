// Work for each element at once, and the results gathered into one.
#pragma once

#include <miniss/core/do_with.hh>
#include <miniss/core/loop.hh>

namespace miniss {

namespace internal {

// What is done with one value after the other, as a reducer object.
template <typename Value, typename Reduce>
class folding {
    Value _value;
    Reduce _reduce;

public:
    folding(Value value, Reduce reduce) : _value(std::move(value)), _reduce(std::move(reduce)) {}

    template <typename Mapped>
    void operator()(Mapped&& mapped) {
        _value = _reduce(std::move(_value), std::forward<Mapped>(mapped));
    }
    Value get() { return std::move(_value); }
};

// Feeds what was mapped to the reducer once all before it was.
template <typename T, typename Reducer>
future<> reduce_next(future<>&& before, future<T>&& mapped, Reducer& reducer) noexcept {
    return mapped.then_wrapped([before = std::move(before), &reducer](future<T> ready) mutable {
        return before.then_wrapped(
            [ready = std::move(ready), &reducer](future<> reduced) mutable -> future<> {
                if (reduced.failed()) {
                    ready.ignore_ready_future();
                    return reduced;
                }
                return ready.then([&reducer](T&& value) { return reducer(std::move(value)); });
            });
    });
}

}  // namespace internal

// Calls mapper(*i) for every i of [begin, end) without waiting in between, and reducer(value) for
// each result, in the order of the range and one at a time; both may return futures. Gives
// reducer.get(), or nothing if it has none.
//
// Lifetime: mapper and reducer are kept until the future is ready; what the iterators point into
//           must live as long.
// Errors:   the first in the order of the range; after it nothing is reduced, but all is waited
//           for. Does not preempt: for ranges of modest size.
template <typename Iterator, typename Sentinel, typename Mapper, typename Reducer>
    requires requires(Iterator begin, Sentinel end) { begin != end, ++begin, *begin; }
auto map_reduce(Iterator begin, Sentinel end, Mapper&& mapper, Reducer&& reducer) noexcept {
    return do_with(
        std::forward<Mapper>(mapper), std::forward<Reducer>(reducer),
        [begin = std::move(begin), end = std::move(end)](auto& map, auto& reduce) mutable {
            auto reduced = make_ready_future<>();
            try {
                for (; begin != end; ++begin) {
                    reduced = internal::reduce_next(std::move(reduced),
                                                    futurize_invoke(map, *begin), reduce);
                }
            } catch (...) {  // The iterator threw.
                using mapped = typename futurize_t<decltype(map(*begin))>::value_type;
                reduced = internal::reduce_next(std::move(reduced),
                                                current_exception_as_future<mapped>(), reduce);
            }
            if constexpr (requires { reduce.get(); }) {
                return reduced.then([&reduce] { return reduce.get(); });
            } else {
                return reduced;
            }
        });
}

// The same with a function: gives reduce(reduce(initial, first), second) and so on.
template <typename Iterator, typename Sentinel, typename Mapper, typename Initial, typename Reduce>
    requires requires(Iterator begin, Sentinel end) { begin != end, ++begin, *begin; }
future<Initial> map_reduce(Iterator begin, Sentinel end, Mapper&& mapper, Initial initial,
                           Reduce reduce) noexcept {
    return map_reduce(std::move(begin), std::move(end), std::forward<Mapper>(mapper),
                      internal::folding<Initial, Reduce>(std::move(initial), std::move(reduce)));
}

// Both for all of `range`.
template <typename Range, typename Mapper, typename Reducer>
auto map_reduce(Range&& range, Mapper&& mapper, Reducer&& reducer) noexcept {
    return map_reduce(range.begin(), range.end(), std::forward<Mapper>(mapper),
                      std::forward<Reducer>(reducer));
}
template <typename Range, typename Mapper, typename Initial, typename Reduce>
    requires requires(Range& range) { range.begin(), range.end(); }
future<Initial> map_reduce(Range&& range, Mapper&& mapper, Initial initial,
                           Reduce reduce) noexcept {
    return map_reduce(range.begin(), range.end(), std::forward<Mapper>(mapper), std::move(initial),
                      std::move(reduce));
}

}  // namespace miniss
