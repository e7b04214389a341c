// A coroutine that gives many values, one after the other.
#pragma once

#include <optional>

#include <miniss/core/coroutine.hh>

namespace miniss::coroutine {

// A function that returns a generator<T> says co_yield for each value, and may co_await in between.
//
//   while (auto value = co_await numbers()) { use(*value); }
//
// Calling the generator runs the function up to its next co_yield. The result is empty once the
// function has ended, and again for each further call; what the function throws comes once.
//
// Lifetime: a generator that is destroyed early destroys the locals of the function. It must not
//           die while a value is being made: wait for the future first.
// Shard:    stays on the shard that made it.
// Cost:     one allocation, the frame; none for a value.
template <typename T>
class [[nodiscard]] generator {
public:
    class promise_type;
    using value_type = T;

    generator(generator&& other) noexcept : _frame(std::exchange(other._frame, nullptr)) {}
    generator& operator=(generator&& other) noexcept {
        std::swap(_frame, other._frame);
        return *this;
    }
    ~generator() {
        if (_frame) {
            MINISS_ASSERT(!_frame.promise().is_running());  // It makes a value: wait for that.
            _frame.destroy();
        }
    }

    // The next value. One call at a time.
    future<std::optional<T>> operator()() noexcept {
        MINISS_ASSERT(_frame != nullptr);  // Otherwise: moved from.
        return _frame.promise().next();
    }

private:
    std::coroutine_handle<promise_type> _frame;

    explicit generator(std::coroutine_handle<promise_type> frame) noexcept : _frame(frame) {}
};

// The part of the frame that the library sees.
template <typename T>
class generator<T>::promise_type final : public internal::suspended_task {
    internal::promise_base<std::optional<T>> _next;
    bool _running = false;
    bool _ended = false;

public:
    generator get_return_object() noexcept { return generator(handle()); }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }

    std::suspend_always yield_value(T value) noexcept {
        _running = false;
        _next.deliver_value(std::move(value));
        return {};
    }
    void return_void() noexcept {
        end();
        _next.deliver_value(std::nullopt);
    }
    void unhandled_exception() noexcept { end_with(std::current_exception(), attached_at); }

    // The frame stays until the generator dies, and with it the locals.
    void end_with(std::exception_ptr error, code_location where) noexcept {
        end();
        _next.deliver_error(std::move(error), where);
    }

    void run_and_dispose() noexcept override { handle().resume(); }
    internal::task_ties ties() const noexcept override { return tied_to(_next.waiter()); }

    bool is_running() const noexcept { return _running; }

    future<std::optional<T>> next() noexcept {
        MINISS_ASSERT(!_running);  // Otherwise: called again before the last value was there.
        if (_ended) {
            return make_ready_future<std::optional<T>>(std::nullopt);
        }
        auto value = future<std::optional<T>>::make_pending(_next);
        _running = true;
        handle().resume();
        return value;
    }

private:
    std::coroutine_handle<promise_type> handle() noexcept {
        return std::coroutine_handle<promise_type>::from_promise(*this);
    }
    void end() noexcept {
        _running = false;
        _ended = true;
    }
};

}  // namespace miniss::coroutine
