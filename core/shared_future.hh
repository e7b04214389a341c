// One result for many readers.
#pragma once

#include <memory>

#include <miniss/core/waiter_queue.hh>

namespace miniss {

namespace internal {

// Waits for the result, keeps it, and tells those who want a copy. Keeps itself alive until then.
template <typename T>
class shared_result final : public waiting_task<T> {
    class readers final : public waiter_queue {};

    std::shared_ptr<shared_result> _self;
    readers _readers;

public:
    static std::shared_ptr<shared_result> wait_for(future<T>&& original) {
        auto made = std::allocate_shared<shared_result>(task_allocator<shared_result>());
        made->attached_at = code_location::named("shared_future");
        made->_self = made;
        original.wait_with(*made);
        return made;
    }

    void run_and_dispose() noexcept override {
        const auto self = std::move(_self);
        _readers.wake_all();
    }

    future<T> copy() const noexcept {
        if (this->state.failed()) {
            return future<T>::make_failed(this->state.error());
        }
        if constexpr (std::is_void_v<T>) {
            return future<T>::make_ready();
        } else {
            return futurize_invoke([this] { return T(this->state.value()); });
        }
    }

    static future<T> copy_later(const std::shared_ptr<shared_result>& from,
                                const wait_limit& limit) noexcept {
        if (from->state.available()) {
            return from->copy();
        }
        return from->_readers.wait(code_location::named("shared_future"), 0, limit)
            .then([from] { return from->copy(); }, code_location::named("shared_future"));
    }
};

}  // namespace internal

// Gives any number of futures for one result, each with its own copy of it. Copies of a
// shared_future stand for the same result. An error that nobody asked for is dropped without a
// word.
//
// Shard:  that of the original future; foreign_ptr and submit_to carry results to others.
// Errors: get_future() fails with the original error; timed_out_error, abort_requested_exception
//         or the reason of the abort by its limit; what copying the value throws.
// Cost:   one allocation, and two for each future that has to wait.
template <typename T = void>
    requires std::copy_constructible<internal::stored<T>>
class shared_future {
    std::shared_ptr<internal::shared_result<T>> _result;

public:
    using value_type = T;

    // Stands for no result, until one is assigned.
    shared_future() noexcept = default;
    shared_future(future<T> original)  // NOLINT: converts, as a future is its only argument.
        : _result(internal::shared_result<T>::wait_for(std::move(original))) {}

    // The result for one more reader. Requires valid().
    future<T> get_future(const wait_limit& limit = {}) const noexcept {
        MINISS_ASSERT(valid());
        return internal::shared_result<T>::copy_later(_result, limit);
    }
    operator future<T>() const noexcept { return get_future(); }  // NOLINT: as get_future().

    bool available() const noexcept { return valid() && _result->state.available(); }
    bool failed() const noexcept { return valid() && _result->state.failed(); }
    bool valid() const noexcept { return _result != nullptr; }
};

// The writing end of a shared_future.
//
// Lifetime: destroying it without a result fails the readers with broken_promise.
template <typename T = void>
class shared_promise {
    promise<T> _promise;
    shared_future<T> _future{_promise.get_future(code_location::named("shared_promise"))};

public:
    future<T> get_shared_future(const wait_limit& limit = {}) const noexcept {
        return _future.get_future(limit);
    }

    // Exactly one result may be set, by one of these two.
    template <typename... A>
        requires std::constructible_from<internal::stored<T>, A...>
    void set_value(A&&... args) {
        _promise.set_value(std::forward<A>(args)...);
    }
    template <typename E>
    void set_exception(E&& error) noexcept {
        _promise.set_exception(std::forward<E>(error));
    }

    bool available() const noexcept { return _future.available(); }
    bool failed() const noexcept { return _future.failed(); }
};

}  // namespace miniss
