// What must happen at the end of a scope, however it ends.
#pragma once

#include <concepts>
#include <utility>

namespace miniss {

// Calls func() when it dies, unless it was cancelled or moved from.
// Errors: func must not throw.
template <std::invocable Func>
class [[nodiscard]] deferred_action {
    Func _func;
    bool _cancelled = false;

public:
    explicit deferred_action(Func func) noexcept : _func(std::move(func)) {}
    deferred_action(deferred_action&& other) noexcept
        : _func(std::move(other._func)), _cancelled(std::exchange(other._cancelled, true)) {}
    deferred_action& operator=(deferred_action&&) = delete;
    ~deferred_action() {
        if (!_cancelled) {
            _func();
        }
    }

    void cancel() noexcept { _cancelled = true; }
};

// A deferred_action for func, which is moved into it.
template <typename Func>
auto defer(Func&& func) noexcept {
    return deferred_action<std::decay_t<Func>>(std::forward<Func>(func));
}

// Closes or stops something, and waits until that is done: within a fiber (core/thread.hh).
//
// Lifetime: what it refers to must live until then.
// Errors:   what close() or stop() fails with ends the process: call close_now() or stop_now() to
//           learn of it.
template <typename T>
class [[nodiscard]] deferred_close {
    T* _closing;

public:
    explicit deferred_close(T& closing) noexcept : _closing(&closing) {}
    deferred_close(deferred_close&& other) noexcept
        : _closing(std::exchange(other._closing, nullptr)) {}
    deferred_close& operator=(deferred_close&&) = delete;
    ~deferred_close() { close_now(); }

    // The destructor has nothing left to do then.
    void close_now() {
        if (T* const closing = std::exchange(_closing, nullptr)) {
            closing->close().get();
        }
    }
    void cancel() noexcept { _closing = nullptr; }
};

// The same for what has a stop().
template <typename T>
class [[nodiscard]] deferred_stop {
    T* _stopping;

public:
    explicit deferred_stop(T& stopping) noexcept : _stopping(&stopping) {}
    deferred_stop(deferred_stop&& other) noexcept
        : _stopping(std::exchange(other._stopping, nullptr)) {}
    deferred_stop& operator=(deferred_stop&&) = delete;
    ~deferred_stop() { stop_now(); }

    // The destructor has nothing left to do then.
    void stop_now() {
        if (T* const stopping = std::exchange(_stopping, nullptr)) {
            stopping->stop().get();
        }
    }
    void cancel() noexcept { _stopping = nullptr; }
};

}  // namespace miniss
