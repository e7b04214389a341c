// Asynchronous loops.
//
// Lifetime: each loop keeps its callable, at one address, until the future it returned is ready.
// Errors:   a round that throws or returns a failed future ends the loop with that error, except
//           in parallel_for_each(), which waits for all.
// Cost:     one allocation for each loop, none for each round; constant stack however many
//           rounds are ready at once. Between rounds a loop looks at need_preempt().
#pragma once

#include <cstddef>
#include <optional>

#include <miniss/core/future.hh>

namespace miniss {

enum class stop_iteration : bool { no, yes };

namespace internal {

// What a round says: go on, or be the last, and then perhaps with a value.
inline bool is_last(stop_iteration round) noexcept { return round == stop_iteration::yes; }
template <typename T>
bool is_last(const std::optional<T>& round) noexcept {
    return round.has_value();
}

// The state of one loop. Step returns a Round or a future of it; it is called until that is the
// last one.
template <typename Round, typename Result, typename Step>
class repeater final : public waiting_task<Round> {
    Step _step;
    promise_base<Result> _done;
    bool _waiting = false;

public:
    repeater(Step&& step, code_location where)
        : waiting_task<Round>(where), _step(std::move(step)) {}
    future<Result> get_future() noexcept { return future<Result>::make_pending(_done); }

    // Every way out of here either waits, or is queued again, or deletes *this.
    void run_and_dispose() noexcept override {
        if (_waiting) {
            _waiting = false;
            if (finish(this->state)) {
                return;
            }
        }
        do {
            auto round = invoke_at(this->attached_at, _step);
            if (!round.available() || deferred_by_chance()) {
                _waiting = true;
                this->state = future_state<Round>();
                round.wait_with(*this);
                return;
            }
            if (round.failed()) {
                _done.deliver_error(round.get_exception(), round.origin());
                delete this;
                return;
            }
            if (ends_with(round.get())) {
                return;
            }
        } while (!need_preempt());
        schedule(*this);
    }

    task_ties ties() const noexcept override { return this->tied_to(_done.waiter()); }

private:
    bool finish(future_state<Round>& round) noexcept {
        if (round.failed()) {
            _done.deliver_error(round.take_error(), round.origin());
            delete this;
            return true;
        }
        return ends_with(round.take_value());
    }

    bool ends_with(Round round) noexcept {
        if (!is_last(round)) {
            return false;
        }
        if constexpr (std::is_void_v<Result>) {
            _done.deliver_value();
        } else {
            _done.deliver_value(std::move(*round));
        }
        delete this;
        return true;
    }
};

// What a round without a say of its own says.
inline future<stop_iteration> go_on_after(future<>&& round, code_location where) noexcept {
    return round.then([] { return stop_iteration::no; }, where);
}

template <typename Round, typename Result, typename Action>
future<Result> start_loop(Action&& action, code_location where) noexcept {
    auto* loop = new repeater<Round, Result, std::decay_t<Action>>(
        std::decay_t<Action>(std::forward<Action>(action)), where);
    auto done = loop->get_future();
    loop->run_and_dispose();
    return done;
}

}  // namespace internal

// Calls `action` until it returns stop_iteration::yes, or a future of it.
template <typename Action>
    requires std::same_as<futurize_t<std::invoke_result_t<std::decay_t<Action>&>>,
                          future<stop_iteration>>
future<> repeat(Action&& action, code_location where = code_location::current()) noexcept {
    return internal::start_loop<stop_iteration, void>(std::forward<Action>(action), where);
}

// Calls `action` until the std::optional<T> that it returns, or a future of it, holds a value;
// gives that value.
template <typename Action>
    requires requires(
        typename futurize_t<std::invoke_result_t<std::decay_t<Action>&>>::value_type round) {
                 *round, round.has_value();
             }
auto repeat_until_value(Action&& action, code_location where = code_location::current()) noexcept {
    using round = typename futurize_t<std::invoke_result_t<std::decay_t<Action>&>>::value_type;
    return internal::start_loop<round, typename round::value_type>(std::forward<Action>(action),
                                                                   where);
}

// Calls `action` until finished() is true, which is asked before every round.
template <typename Finished, typename Action>
    requires std::predicate<std::decay_t<Finished>&> && std::invocable<std::decay_t<Action>&>
future<> do_until(Finished&& finished, Action&& action,
                  code_location where = code_location::current()) noexcept {
    return repeat(
        [finished = std::forward<Finished>(finished), action = std::forward<Action>(action),
         where]() mutable {
            if (finished()) {
                return make_ready_future<stop_iteration>(stop_iteration::yes);
            }
            return internal::go_on_after(internal::invoke_at(where, action), where);
        },
        where);
}

// Calls `action` for ever; the future that comes back can only fail.
template <typename Action>
    requires std::invocable<std::decay_t<Action>&>
future<> keep_doing(Action&& action, code_location where = code_location::current()) noexcept {
    return repeat(
        [action = std::forward<Action>(action), where]() mutable {
            return internal::go_on_after(internal::invoke_at(where, action), where);
        },
        where);
}

// Calls action(*i) for each i of [begin, end), one after the other.
// Lifetime: what the iterators point into must live until the future is ready.
template <typename Iterator, typename Sentinel, typename Action>
    requires requires(Iterator begin, Sentinel end) { begin != end, ++begin, *begin; }
future<> do_for_each(Iterator begin, Sentinel end, Action&& action,
                     code_location where = code_location::current()) noexcept {
    return repeat(
        [current = std::move(begin), end = std::move(end), action = std::forward<Action>(action),
         where]() mutable {
            if (current == end) {
                return make_ready_future<stop_iteration>(stop_iteration::yes);
            }
            auto round = internal::invoke_at(where, action, *current);
            ++current;
            return internal::go_on_after(std::move(round), where);
        },
        where);
}

// The same for all of `range`.
template <typename Range, typename Action>
future<> do_for_each(Range& range, Action&& action,
                     code_location where = code_location::current()) noexcept {
    return do_for_each(range.begin(), range.end(), std::forward<Action>(action), where);
}

namespace internal {

// Counts the rounds of a parallel_for_each() that are still under way.
class parallel_rounds : public in_task_memory {
    std::size_t _pending_count = 1;  // The caller, until it has started them all.
    std::exception_ptr _error;
    promise<> _done;
    code_location _where;

public:
    explicit parallel_rounds(code_location where) noexcept : _where(where) {}
    virtual ~parallel_rounds() = default;
    future<> get_future() noexcept { return _done.get_future(_where); }

    void add(future<>&& round) noexcept {
        if (round.failed()) {
            fail(round.get_exception());
        } else if (!round.available()) {
            ++_pending_count;
            (void)round.then_wrapped(
                [this](future<> ended) {
                    if (ended.failed()) {
                        fail(ended.get_exception());
                    }
                    end();
                },
                _where);
        }
    }

    void fail(std::exception_ptr error) noexcept { _error = std::move(error); }

    // Ends one round; the last one fulfils the promise.
    void end() noexcept {
        if (--_pending_count != 0) {
            return;
        }
        if (_error) {
            _done.set_exception(std::move(_error), _where);
        } else {
            _done.set_value();
        }
        delete this;
    }
};

// Keeps the callable as long as one of its rounds may refer to it.
template <typename Action>
struct parallel_loop final : parallel_rounds {
    Action action;
    template <typename A>
    parallel_loop(A&& a, code_location where)
        : parallel_rounds(where), action(std::forward<A>(a)) {}
};

}  // namespace internal

// Calls action(*i) for every i of [begin, end) without waiting in between, then waits for all.
// If some fail, the error of the last one to do so is the result. Does not preempt: for ranges of
// modest size.
// Lifetime: what the iterators point into must live until the future is ready.
// Cost:     one allocation, and one for each round that is not ready at once.
template <typename Iterator, typename Sentinel, typename Action>
    requires requires(Iterator begin, Sentinel end) { begin != end, ++begin, *begin; }
future<> parallel_for_each(Iterator begin, Sentinel end, Action&& action,
                           code_location where = code_location::current()) noexcept {
    auto* rounds =
        new internal::parallel_loop<std::decay_t<Action>>(std::forward<Action>(action), where);
    auto done = rounds->get_future();
    try {
        for (; begin != end; ++begin) {
            rounds->add(internal::invoke_at(where, rounds->action, *begin).discard_result(where));
        }
    } catch (...) {  // The iterator threw.
        rounds->fail(std::current_exception());
    }
    rounds->end();
    return done;
}

// The same for all of `range`.
template <typename Range, typename Action>
future<> parallel_for_each(Range&& range, Action&& action,
                           code_location where = code_location::current()) noexcept {
    return parallel_for_each(range.begin(), range.end(), std::forward<Action>(action), where);
}

}  // namespace miniss
