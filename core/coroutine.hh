// Coroutines: a function that returns a future may say co_await and co_return.
//
// co_await takes any future and gives its value, or throws its error. What the function returns or
// throws becomes the result of its own future. It begins to run when it is called.
//
// Lifetime: parameters and locals live in the frame, until the function has ended; what a parameter
//           refers to must live as long. So must a lambda that is a coroutine: its captures are in
//           the lambda, not in the frame.
// Shard:    a coroutine stays on the shard that called it.
// Errors:   without memory for the frame the call gives a future that failed with std::bad_alloc.
// Cost:     one allocation, the frame, which is also the task that waits. co_await on a ready
//           future goes on at once, unless the time slice is over (need_preempt()).
#pragma once

#include <coroutine>
#include <new>
#include <optional>

#include <miniss/core/future.hh>
#include <miniss/core/suspended_task.hh>

namespace miniss {

namespace internal {

// What co_await makes of a future: it stays in the frame, and its result comes to it there.
template <typename T, bool MayPreempt>
class future_awaiter {
    future<T> _awaited;

public:
    explicit future_awaiter(future<T>&& awaited) noexcept : _awaited(std::move(awaited)) {}

    bool await_ready() const noexcept {
        if constexpr (MayPreempt) {
            return _awaited.available() && !need_preempt() && !deferred_by_chance();
        } else {
            return _awaited.available();
        }
    }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> frame,
                       code_location where = code_location::current()) noexcept {
        frame.promise().await(_awaited, where);
    }
    T await_resume() { return _awaited.get(); }
};

// The part of a frame that the library sees: the task that goes on with the coroutine, and where
// its result goes.
template <typename T>
class coroutine_frame : public suspended_task {
protected:
    promise_base<T> _result;

    ~coroutine_frame() = default;

public:
    // The compilers do not agree on which of the two they call; both tell them of failure by null.
    static void* operator new(std::size_t bytes) noexcept {
        return allocate_task_memory(bytes, std::nothrow);
    }
    static void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
        return allocate_task_memory(bytes, std::nothrow);
    }
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        free_task_memory(memory, bytes);
    }

    future<T> get_return_object() noexcept { return future<T>::make_pending(_result); }
    static future<T> get_return_object_on_allocation_failure() noexcept {
        return make_exception_future<T>(std::bad_alloc());
    }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }

    void unhandled_exception() noexcept {
        _result.deliver_error(std::current_exception(), attached_at);
    }

    task_ties ties() const noexcept override { return tied_to(_result.waiter()); }
};

template <typename T>
class coroutine_promise final : public coroutine_frame<T> {
public:
    template <typename U = T>
        requires std::constructible_from<T, U>
    void return_value(U&& value) {
        if constexpr (std::is_nothrow_constructible_v<T, U>) {
            this->_result.deliver_value(std::forward<U>(value));
        } else {
            this->_result.deliver_value(T(std::forward<U>(value)));
        }
    }
    void run_and_dispose() noexcept override { handle().resume(); }

    // Ends the coroutine where it is suspended; see coroutine/exception.hh.
    void end_with(std::exception_ptr error, code_location where) noexcept {
        this->_result.deliver_error(std::move(error), where);
        handle().destroy();
    }

private:
    std::coroutine_handle<coroutine_promise> handle() noexcept {
        return std::coroutine_handle<coroutine_promise>::from_promise(*this);
    }
};

template <>
class coroutine_promise<void> final : public coroutine_frame<void> {
public:
    void return_void() noexcept { _result.deliver_value(); }
    void run_and_dispose() noexcept override { handle().resume(); }

    // Ends the coroutine where it is suspended; see coroutine/exception.hh.
    void end_with(std::exception_ptr error, code_location where) noexcept {
        this->_result.deliver_error(std::move(error), where);
        handle().destroy();
    }

private:
    std::coroutine_handle<coroutine_promise> handle() noexcept {
        return std::coroutine_handle<coroutine_promise>::from_promise(*this);
    }
};

}  // namespace internal

template <typename T>
auto operator co_await(future<T>&& awaited) noexcept {
    return internal::future_awaiter<T, true>(std::move(awaited));
}

// co_await without_preemption_check(future): goes on at once if the future is ready, even when the
// time slice is over. For code that relies on nothing else having run in between.
template <typename T>
auto without_preemption_check(future<T>&& awaited) noexcept {
    return internal::future_awaiter<T, false>(std::move(awaited));
}

}  // namespace miniss

template <typename T, typename... A>
struct std::coroutine_traits<miniss::future<T>, A...> {
    using promise_type = miniss::internal::coroutine_promise<T>;
};
