// Tells work that is under way that it is no longer wanted.
#pragma once

#include <boost/intrusive/list.hpp>
#include <exception>
#include <optional>

#include <miniss/core/noncopyable_function.hh>

namespace miniss {

// What aborted work fails with, unless whoever aborted it named another reason.
struct abort_requested_exception : std::exception {
    const char* what() const noexcept override { return "abort requested"; }
};

class abort_source;

namespace internal {

using abort_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<abort_source>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// One who is to be told. Destroying it unlinks it; moving one hands its place to the new one.
class abort_listener : public abort_hook {
public:
    // Called once, unlinked, within request_abort(); may destroy *this and other listeners. The
    // reason is empty unless one was named.
    virtual void on_abort(const std::optional<std::exception_ptr>& reason) noexcept = 0;

protected:
    abort_listener() = default;
    abort_listener(abort_listener&& other) noexcept { swap_nodes(other); }
    ~abort_listener() = default;
};

}  // namespace internal

// Passed by reference to whatever may be aborted; request_abort() tells all of it at once.
//
// Lifetime: subscriptions that are left when it dies are never called.
// Shard:    every call on the shard that created it.
// Cost:     asking abort_requested() is one load. A listener of the library's own costs no
//           allocation, a subscription as much as its callable needs.
class abort_source {
    using listener_list = boost::intrusive::list<internal::abort_listener,
                                                 boost::intrusive::base_hook<internal::abort_hook>,
                                                 boost::intrusive::constant_time_size<false>>;

    listener_list _listeners;
    std::optional<std::exception_ptr> _reason;
    bool _requested = false;

public:
    class subscription;

    abort_source() = default;
    abort_source(abort_source&&) = default;
    abort_source& operator=(abort_source&&) = default;
    virtual ~abort_source() = default;

    // Has func() or func(const std::optional<std::exception_ptr>& reason) called within
    // request_abort(), unless the subscription dies before. Empty if that has happened already.
    template <typename Func>
        requires std::is_nothrow_invocable_v<std::decay_t<Func>&> ||
                 std::is_nothrow_invocable_v<std::decay_t<Func>&,
                                             const std::optional<std::exception_ptr>&>
    [[nodiscard]] std::optional<subscription> subscribe(Func&& func);

    // Calls all subscriptions, in the order in which they were made. Further calls do nothing.
    void request_abort() noexcept { tell_all(std::nullopt); }

    // The same, for a reason: what check() throws, and most of what is aborted fails with.
    void request_abort_ex(std::exception_ptr reason) noexcept { tell_all(std::move(reason)); }
    template <typename E>
        requires(!std::same_as<std::decay_t<E>, std::exception_ptr>)
    void request_abort_ex(E&& reason) noexcept {
        tell_all(std::make_exception_ptr(std::forward<E>(reason)));
    }

    bool abort_requested() const noexcept { return _requested; }

    // Throws the reason if an abort has been requested.
    void check() const {
        if (_requested) {
            std::rethrow_exception(get_exception());
        }
    }

    // The reason, or what stands for it if none was named.
    std::exception_ptr get_exception() const noexcept {
        return _reason ? *_reason : get_default_exception();
    }
    const std::optional<std::exception_ptr>& reason() const noexcept { return _reason; }

    virtual std::exception_ptr get_default_exception() const noexcept {
        return std::make_exception_ptr(abort_requested_exception());
    }

    // For those who need no callable. Requires !abort_requested().
    void add(internal::abort_listener& listener) noexcept {
        MINISS_ASSERT(!_requested);
        _listeners.push_back(listener);
    }

private:
    void tell_all(std::optional<std::exception_ptr> reason) noexcept {
        if (_requested) {
            return;
        }
        _requested = true;
        _reason = reason;
        // From here on nothing of *this is touched: a listener may destroy it.
        listener_list left = std::move(_listeners);
        while (!left.empty()) {
            internal::abort_listener& next = left.front();
            left.pop_front();
            next.on_abort(reason);
        }
    }
};

// Keeps a callable subscribed. True while it may still be called.
class abort_source::subscription final : public internal::abort_listener {
    noncopyable_function<void(const std::optional<std::exception_ptr>&)> _func;

public:
    subscription() = default;
    subscription(abort_source& source,
                 noncopyable_function<void(const std::optional<std::exception_ptr>&)> func)
        : _func(std::move(func)) {
        source.add(*this);
    }
    subscription(subscription&&) noexcept = default;
    subscription& operator=(subscription&& other) noexcept {
        if (this != &other) {
            _func = std::move(other._func);
            unlink();
            swap_nodes(other);
        }
        return *this;
    }

    explicit operator bool() const noexcept { return is_linked(); }

private:
    void on_abort(const std::optional<std::exception_ptr>& reason) noexcept override {
        _func(reason);
    }
};

template <typename Func>
    requires std::is_nothrow_invocable_v<std::decay_t<Func>&> ||
             std::is_nothrow_invocable_v<std::decay_t<Func>&,
                                         const std::optional<std::exception_ptr>&>
std::optional<abort_source::subscription> abort_source::subscribe(Func&& func) {
    if (_requested) {
        return std::nullopt;
    }
    if constexpr (std::is_nothrow_invocable_v<std::decay_t<Func>&>) {
        return subscription(*this,
                            [func = std::forward<Func>(func)](
                                const std::optional<std::exception_ptr>&) mutable { func(); });
    } else {
        return subscription(*this, std::forward<Func>(func));
    }
}

}  // namespace miniss
