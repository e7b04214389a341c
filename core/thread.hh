// Fibers: functions that may wait in the middle, each on a stack of its own.
//
//     return async([] {
//         sleep(1s).get();                      // Others run meanwhile.
//         const auto bytes = read().get();      // What failed throws.
//         ...
//     });
//
// Within such a function, and whatever it calls, future::get() on a pending future suspends the
// fiber until the result is there. It begins to run when it is made, and goes on as a task of its
// shard.
//
// Lifetime: the function and its arguments are moved to the fiber and die when it has ended.
//           References in them must live as long.
// Shard:    a fiber stays on the shard that made it.
// Errors:   without memory for the stack, std::system_error ENOMEM; where miniss was built without
//           Boost.Context, ENOTSUP. Overflowing a stack ends the process.
// Cost:     a stack, which the shard keeps for its next fiber; two or three allocations. Switching
//           to a fiber and back costs about as much as a few function calls.
#pragma once

#include <cstddef>
#include <optional>
#include <tuple>

#include <miniss/core/future.hh>
#include <miniss/core/noncopyable_function.hh>

namespace miniss {

// How a fiber differs from the default.
struct thread_attributes {
    // Rounded up to whole pages. Pages that were never touched cost no memory.
    std::size_t stack_size = 128 * 1024;
};

namespace internal {

// Runs `body`, which must not throw, in a new fiber, until it waits or ends.
// Errors: throws std::system_error, std::bad_alloc.
void start_fiber(const thread_attributes& attributes, noncopyable_function<void()> body);

template <typename Func, typename... A>
using async_result_t = futurize_t<std::invoke_result_t<std::decay_t<Func>, std::decay_t<A>...>>;

}  // namespace internal

// Calls func(args...) in a fiber. Gives its result, once the fiber has ended and, if func returned
// a future, that is ready too.
template <typename Func, typename... A>
    requires std::invocable<std::decay_t<Func>, std::decay_t<A>...>
internal::async_result_t<Func, A...> async(const thread_attributes& attributes, Func&& func,
                                           A&&... args) noexcept {
    using result = internal::async_result_t<Func, A...>;
    promise<typename result::value_type> done;
    auto ended = done.get_future(code_location::named("fiber"));
    try {
        internal::start_fiber(
            attributes,
            [done = std::move(done), func = std::decay_t<Func>(std::forward<Func>(func)),
             args = std::tuple<std::decay_t<A>...>(std::forward<A>(args)...)]() mutable {
                auto outcome = [&] {  // They die before anyone learns that the fiber has ended.
                    auto called = std::move(func);
                    auto its_args = std::move(args);
                    return futurize_apply(std::move(called), std::move(its_args));
                }();
                outcome.forward_to(std::move(done));
            });
    } catch (...) {
        ended.ignore_ready_future();  // A broken promise.
        return result::make_failed(std::current_exception());
    }
    return ended;
}
template <typename Func, typename... A>
    requires std::invocable<std::decay_t<Func>, std::decay_t<A>...>
internal::async_result_t<Func, A...> async(Func&& func, A&&... args) noexcept {
    return async(thread_attributes(), std::forward<Func>(func), std::forward<A>(args)...);
}

// A handle on a fiber.
// Lifetime: must be joined before it dies, unless it was moved from.
class thread {
    std::optional<future<>> _ended;

public:
    thread() noexcept = default;
    template <typename Func>
        requires std::is_void_v<std::invoke_result_t<std::decay_t<Func>>>
    explicit thread(Func&& func) : thread(thread_attributes(), std::forward<Func>(func)) {}
    template <typename Func>
        requires std::is_void_v<std::invoke_result_t<std::decay_t<Func>>>
    thread(const thread_attributes& attributes, Func&& func)
        : _ended(async(attributes, std::forward<Func>(func))) {}
    thread(thread&& other) noexcept : _ended(std::exchange(other._ended, std::nullopt)) {}
    thread& operator=(thread&& other) noexcept {
        if (this != &other) {
            MINISS_ASSERT(!joinable());  // A thread must be joined before another takes its place.
            _ended = std::exchange(other._ended, std::nullopt);
        }
        return *this;
    }
    ~thread() { MINISS_ASSERT(!joinable()); }  // A thread must be joined before it dies.

    bool joinable() const noexcept { return _ended.has_value(); }

    // Ready when the function has returned; fails with what it threw. At most once.
    future<> join() noexcept {
        MINISS_ASSERT(joinable());
        return *std::exchange(_ended, std::nullopt);
    }

    // Whether the caller runs in a fiber, and may wait.
    static bool running_in_thread() noexcept;

    // The following are for functions that run in a fiber.

    // Lets everything run that is ready.
    static void yield() noexcept;
    // Whether the time slice is over.
    static bool should_yield() noexcept { return need_preempt(); }
    static void maybe_yield() noexcept {
        if (should_yield()) {
            yield();
        }
    }
};

}  // namespace miniss
