// parallel_for_each() with an upper bound for how much is under way at once.
#pragma once

#include <memory>

#include <miniss/core/loop.hh>
#include <miniss/core/semaphore.hh>

namespace miniss {

namespace internal {

template <typename Iterator, typename Sentinel, typename Action>
class bounded_loop {
    Iterator _next;
    Sentinel _end;
    Action _action;
    std::size_t _max;
    code_location _where;
    semaphore _free{_max};
    std::exception_ptr _error;

public:
    template <typename A>
    bounded_loop(Iterator begin, Sentinel end, std::size_t max, A&& action, code_location where)
        : _next(std::move(begin)),
          _end(std::move(end)),
          _action(std::forward<A>(action)),
          _max(max),
          _where(where) {}

    future<> run() noexcept {
        return do_until([this] { return _next == _end; },
                        [this] { return _free.wait().then([this] { start_next(); }, _where); },
                        _where)
            .then_wrapped(
                [this](future<> started) {
                    note_error(started);
                    return _free.wait(_max).or_terminate(_where);  // The rounds refer to *this.
                },
                _where)
            .then(
                [this] {
                    return _error ? make_exception_future<>(std::move(_error), _where)
                                  : make_ready_future<>();
                },
                _where);
    }

private:
    void start_next() {
        auto round = [this] {
            try {
                return invoke_at(_where, _action, *_next).discard_result(_where);
            } catch (...) {  // The iterator threw.
                return current_exception_as_future<>();
            }
        };
        (void)round().then_wrapped(
            [this](future<> ended) {
                note_error(ended);
                _free.signal();
            },
            _where);
        ++_next;
    }

    void note_error(future<>& ended) noexcept {
        if (ended.failed()) {
            auto error = ended.get_exception();
            _error = _error ? std::move(_error) : std::move(error);
        } else {
            ended.ignore_ready_future();
        }
    }
};

}  // namespace internal

// Calls action(*i) for every i of [begin, end), at most `max` at a time, and waits for all. If
// some fail, the error of the first to do so is the result.
// Lifetime: the action is kept until the future is ready; what the iterators point into must live
//           as long.
// Cost:     as parallel_for_each(), and looks at need_preempt() between the rounds.
template <typename Iterator, typename Sentinel, typename Action>
    requires requires(Iterator begin, Sentinel end) { begin != end, ++begin, *begin; }
future<> max_concurrent_for_each(Iterator begin, Sentinel end, std::size_t max, Action&& action,
                                 code_location where = code_location::current()) {
    MINISS_ASSERT(max > 0);
    using loop = internal::bounded_loop<Iterator, Sentinel, std::decay_t<Action>>;
    auto kept = std::make_unique<loop>(std::move(begin), std::move(end), max,
                                       std::forward<Action>(action), where);
    auto& running = *kept;
    return running.run().finally([kept = std::move(kept)] {}, where);
}

// The same for all of `range`.
template <typename Range, typename Action>
future<> max_concurrent_for_each(Range&& range, std::size_t max, Action&& action,
                                 code_location where = code_location::current()) {
    return max_concurrent_for_each(range.begin(), range.end(), max, std::forward<Action>(action),
                                   where);
}

}  // namespace miniss
