// Awaiting a future without having its error thrown.
#pragma once

#include <miniss/core/coroutine.hh>

namespace miniss::coroutine {

// co_await as_future(f) gives the future back once it is ready, whether it succeeded or failed. The
// caller must look into it.
template <typename T>
class [[nodiscard]] as_future {
    future<T> _awaited;

public:
    explicit as_future(future<T>&& awaited) noexcept : _awaited(std::move(awaited)) {}

    bool await_ready() const noexcept { return _awaited.available() && !need_preempt(); }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> frame,
                       code_location where = code_location::current()) noexcept {
        frame.promise().await(_awaited, where);
    }
    future<T> await_resume() noexcept { return std::move(_awaited); }
};

}  // namespace miniss::coroutine
