// The writing end of a future, and the link between the two.
#pragma once

#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

#include <miniss/core/future_state.hh>
#include <miniss/core/report.hh>
#include <miniss/core/task.hh>

namespace miniss {

template <typename T = void>
class future;
template <typename T = void>
class promise;

// What a waiter gets when its promise died without a result.
struct broken_promise : std::exception {
    const char* what() const noexcept override;
};

namespace internal {

// Makes a broken_promise; out of line, so that every promise type shares it.
std::exception_ptr make_broken_promise() noexcept;

// A task that runs once a result has arrived in its cell: a continuation, a loop.
template <typename T>
class waiting_task : public task {
public:
    future_state<T> state;

protected:
    waiting_task() noexcept = default;
    explicit waiting_task(code_location where) noexcept : task(where) {}
    ~waiting_task() = default;

    task_ties ties() const noexcept override { return tied_to(nullptr); }
    task_ties tied_to(const task* waiter) const noexcept { return {&state.origin(), waiter}; }
};

// Where a result goes. It is one of:
//
//   _state          _future  _waiter
//   promise's own   -        -        nobody asked for the future yet
//   future's        set      -        somebody holds the future and has not chained to it
//   waiter's        -        set      a continuation or a loop waits
//   future's        set      set      a coroutine waits, whose frame holds the future
//   null            -        -        delivered, or moved from, or the future was thrown away
//
// A future and the promise behind it patch each other's address whenever one of them moves.
// Shard: a promise and its future live on the same shard.
template <typename T>
class promise_base {
protected:
    future_state<T>* _state = nullptr;
    future<T>* _future = nullptr;
    task* _waiter = nullptr;

    friend class future<T>;

    explicit promise_base(future_state<T>* state) noexcept : _state(state) {}

public:
    // Links to a future that is made for this promise; see future::make_pending().
    promise_base() noexcept = default;
    promise_base(promise_base&& other) noexcept { take_over(other); }
    promise_base& operator=(promise_base&& other) noexcept {
        if (this != &other) {
            abandon();
            take_over(other);
        }
        return *this;
    }
    ~promise_base() { abandon(); }

    // The task that waits for the result; null if none does.
    task* waiter() const noexcept { return _waiter; }

    template <typename... A>
    void deliver_value(A&&... args) noexcept {
        if (_state != nullptr) {
            _state->set_value(std::forward<A>(args)...);
            wake_reader();
        }
    }

    void deliver_error(std::exception_ptr&& error, code_location origin) noexcept {
        if (_state != nullptr) {
            _state->set_error(std::move(error), origin);
            wake_reader();
        } else {
            report_ignored_failure(error, origin);
        }
    }

    // Delivers a result that is there.
    void deliver(future_state<T>&& result) noexcept {
        if (_state != nullptr) {
            _state->receive(std::move(result));
            wake_reader();
        } else if (result.failed()) {
            report_ignored_failure(result.take_error(), result.origin());
        }
    }

    bool has_reader() const noexcept { return _future != nullptr || _waiter != nullptr; }

protected:
    // The future is gone, and with it a coroutine that waited.
    void lose_future() noexcept {
        _future = nullptr;
        _state = nullptr;
        if (_waiter != nullptr) [[unlikely]] {
            _waiter->unlink();
            _waiter = nullptr;
        }
    }

    // The reader now has its result: unlink, and run it if it is a task.
    void wake_reader() noexcept;

    // Tells a reader that is still waiting that nothing will come.
    void abandon() noexcept {
        if (has_reader()) [[unlikely]] {
            break_promise();
        }
    }
    // Apart, as what is rare must not keep the rest from being inlined.
    [[gnu::cold, gnu::noinline]] void break_promise() noexcept {
        deliver_error(make_broken_promise(), {});
    }

    void take_over(promise_base& other) noexcept;
};

}  // namespace internal

// The writing end of one value or error.
//
// Lifetime: destroying it without a result fails its future with broken_promise, before or after
//           something was chained to it. Nothing happens if get_future() was never called.
// Errors:   an error that is set after the future was thrown away is reported as ignored.
// Shard:    stays on the shard of its future; foreign_ptr or submit_to bring results home.
// Cost:     no allocation.
template <typename T>
class promise : private internal::promise_base<T> {
    using base = internal::promise_base<T>;

    // Holds the result while nobody has asked for the future; `taken` once a result was set and
    // handed on, so that a second one is noticed.
    internal::future_state<T> _own;

public:
    promise() noexcept : base(&_own) {}
    promise(promise&& other) noexcept : base() { move_from(other); }
    promise& operator=(promise&& other) noexcept {
        if (this != &other) {
            this->abandon();
            report_unread();
            move_from(other);
        }
        return *this;
    }
    ~promise() { report_unread(); }

    // The reading end. At most once. `where` is what its readers are said to wait for.
    future<T> get_future(code_location where = code_location::current()) noexcept;

    // Whether somebody holds the future, or waits for what it brings.
    using base::has_reader;

    // Exactly one result may be set, by one of these three.
    template <typename... A>
        requires std::constructible_from<internal::stored<T>, A...>
    void set_value(A&&... args) {
        if (this->_state == &_own) {
            _own.set_value(std::forward<A>(args)...);
            return;
        }
        if constexpr (std::is_nothrow_constructible_v<internal::stored<T>, A...>) {
            mark_set();
            this->deliver_value(std::forward<A>(args)...);
        } else {  // Built here first: if the constructor throws, nothing has happened.
            internal::future_state<T> result;
            result.set_value(std::forward<A>(args)...);
            mark_set();
            this->deliver(std::move(result));
        }
    }

    void set_exception(std::exception_ptr error,
                       code_location where = code_location::current()) noexcept {
        if (this->_state == &_own) {
            _own.set_error(std::move(error), where);
            return;
        }
        mark_set();
        this->deliver_error(std::move(error), where);
    }

    template <typename E>
        requires(!std::same_as<std::decay_t<E>, std::exception_ptr>)
    void set_exception(E&& error, code_location where = code_location::current()) noexcept {
        set_exception(std::make_exception_ptr(std::forward<E>(error)), where);
    }

private:
    friend class future<T>;

    void mark_set() noexcept {
        MINISS_ASSERT(_own.pending());  // Otherwise: set twice, or moved from.
        _own.clear();
    }

    void move_from(promise& other) noexcept {
        const bool own = other._state == &other._own;
        _own = std::move(other._own);
        this->take_over(other);
        if (own) {
            this->_state = &_own;
        }
    }

    // A failure that was set while nobody had the future, and still nobody has.
    void report_unread() noexcept {
        if (_own.failed()) [[unlikely]] {
            report();
        }
    }
    [[gnu::cold, gnu::noinline]] void report() noexcept {
        internal::report_ignored_failure(_own.take_error(), _own.origin());
    }
};

}  // namespace miniss
