// Awaiting several things at once.
#pragma once

#include <miniss/core/coroutine.hh>
#include <miniss/core/when_all.hh>

namespace miniss::coroutine {

// co_await all(a, b, ...) calls every argument (a future stays what it is), waits for all, and
// gives a tuple of their values, without those of future<>. If some failed, it throws the error of
// the first of them in order of the arguments.
//
// Cost: nothing allocates; the futures stay in the frame.
template <typename... F>
class [[nodiscard]] all final : private internal::suspended_task {
    std::tuple<F...> _futures;
    task* _caller = nullptr;

public:
    template <typename... A>
    explicit all(A&&... futures_or_funcs) noexcept
        : _futures{internal::future_from(std::forward<A>(futures_or_funcs))...} {}
    all(const all&) = delete;
    all& operator=(const all&) = delete;

    bool await_ready() const noexcept {
        return std::apply([](const F&... each) { return (each.available() && ...); }, _futures) &&
               !need_preempt();
    }
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
    auto await_resume() {
        return std::apply(
            [](F&... each) {
                internal::first_error errors;
                (errors.look_at(each), ...);
                if (auto error = errors.take()) {
                    std::rethrow_exception(std::move(error));
                }
                return std::tuple_cat(internal::value_tuple(each)...);
            },
            _futures);
    }

private:
    // Waits for the first that is not ready. False if all are.
    bool waits() noexcept {
        return std::apply([this](F&... each) { return (waits_for(each) || ...); }, _futures);
    }
    template <typename T>
    bool waits_for(future<T>& one) noexcept {
        if (one.available()) {
            return false;
        }
        await(one, attached_at);
        return true;
    }

    void run_and_dispose() noexcept override {
        if (!waits()) {
            _caller->run_and_dispose();
        }
    }
    internal::task_ties ties() const noexcept override { return tied_to(_caller); }
};

template <typename... A>
all(A&&...) -> all<decltype(internal::future_from(std::declval<A>()))...>;

}  // namespace miniss::coroutine
