// Awaiting what is done to all elements of a range at once.
#pragma once

#include <vector>

#include <miniss/core/coroutine.hh>

namespace miniss::coroutine {

// co_await parallel_for_each(range, action) calls action(element) for every element without waiting
// in between, then waits for all. If some fail, it throws the error of one of them. Does not
// preempt: for ranges of modest size.
//
// Lifetime: keeps the action until all is done. The elements must live as long.
// Cost:     room for the futures of those rounds that are not ready at once.
template <typename Action>
class [[nodiscard]] parallel_for_each final : private internal::suspended_task {
    Action _action;
    std::vector<future<>> _rounds;  // Those under way.
    std::exception_ptr _error;
    task* _caller = nullptr;

public:
    template <typename Iterator, typename Sentinel, typename A>
    parallel_for_each(Iterator begin, Sentinel end, A&& action) noexcept
        : _action(std::forward<A>(action)) {
        start(std::move(begin), std::move(end));
    }
    template <typename Range, typename A>
    parallel_for_each(Range&& range, A&& action) noexcept : _action(std::forward<A>(action)) {
        start(range.begin(), range.end());
    }
    parallel_for_each(const parallel_for_each&) = delete;
    parallel_for_each& operator=(const parallel_for_each&) = delete;

    bool await_ready() const noexcept { return _rounds.empty(); }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> frame,
                       code_location where = code_location::current()) noexcept {
        attached_at = where;
        frame.promise().attached_at = where;
        _caller = &frame.promise();
        if (!waits()) {
            schedule(*_caller);
        }
    }
    void await_resume() {
        if (_error) {
            std::rethrow_exception(std::move(_error));
        }
    }

private:
    template <typename Iterator, typename Sentinel>
    void start(Iterator next, Sentinel end) noexcept {
        try {
            for (; next != end; ++next) {
                auto round = futurize_invoke(_action, *next).discard_result();
                if (round.failed()) {
                    _error = round.get_exception();
                } else if (!round.available()) {
                    _rounds.push_back(std::move(round));
                }
            }
        } catch (...) {  // The iterator threw.
            _error = std::current_exception();
        }
    }

    // Waits for the last that is not ready. False if all are.
    bool waits() noexcept {
        for (; !_rounds.empty(); _rounds.pop_back()) {
            future<>& last = _rounds.back();
            if (!last.available()) {
                await(last, attached_at);
                return true;
            }
            if (last.failed()) {
                _error = last.get_exception();
            }
        }
        return false;
    }

    void run_and_dispose() noexcept override {
        if (!waits()) {
            _caller->run_and_dispose();
        }
    }
    internal::task_ties ties() const noexcept override { return tied_to(_caller); }
};

template <typename Iterator, typename Sentinel, typename Action>
parallel_for_each(Iterator, Sentinel, Action&&) -> parallel_for_each<std::decay_t<Action>>;
template <typename Range, typename Action>
parallel_for_each(Range&&, Action&&) -> parallel_for_each<std::decay_t<Action>>;

}  // namespace miniss::coroutine
