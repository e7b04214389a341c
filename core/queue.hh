// A bounded queue between those who make something and those who use it.
#pragma once

#include <deque>

#include <miniss/core/waiter_queue.hh>

namespace miniss {

namespace internal {

// Those who wait at one end of a queue.
class queue_end final : public waiter_queue {
public:
    // Lets one go.
    void notify() noexcept {
        if (!empty()) {
            wake_front();
        }
    }
};

}  // namespace internal

// Holds up to max_size() items; those who push more wait, and those who find nothing wait too.
// Several may wait at each end: an item, or a place, lets one of them go, in order.
//
// Lifetime: waiters that are left when it dies get broken_promise.
// Shard:    every call on the shard that created it.
// Errors:   what abort() was called with; timed_out_error, abort_requested_exception or the reason
//           of the abort; std::bad_alloc.
// Cost:     without waiting that of a std::deque; one or two allocations for each waiter.
template <typename T>
class queue {
    std::deque<T> _items;
    std::size_t _max_size;
    internal::queue_end _consumers;
    internal::queue_end _producers;
    std::exception_ptr _aborted;

public:
    explicit queue(std::size_t max_size) : _max_size(max_size) {}

    // Puts an item in if there is a place. False if there is none, or if it was aborted; the item
    // is untouched then.
    bool push(T&& item) {
        if (full() || _aborted) {
            return false;
        }
        _items.push_back(std::move(item));
        _consumers.notify();
        return true;
    }
    bool push(const T& item) { return push(T(item)); }

    // Takes the oldest item out. Requires !empty().
    T pop() noexcept {
        MINISS_ASSERT(!empty());
        T item = std::move(_items.front());
        _items.pop_front();
        _producers.notify();
        return item;
    }

    T& front() noexcept {
        MINISS_ASSERT(!empty());
        return _items.front();
    }

    // Calls func(item) for one item after the other, as long as there are any and it returns true.
    // Throws what abort() was called with.
    template <typename Func>
        requires std::predicate<Func&, T&&>
    void consume(Func&& func) {
        if (_aborted) {
            std::rethrow_exception(_aborted);
        }
        for (bool more = true; more && !empty();) {
            more = func(pop());
        }
    }

    // Waits for an item and takes it.
    future<T> pop_eventually(const wait_limit& limit = {},
                             code_location where = code_location::current()) noexcept {
        if (!empty()) {
            return make_ready_future<T>(pop());
        }
        return not_empty(limit).then(
            [this, limit = limit.started(), where] {
                return pop_eventually(limit, where);  // Somebody else may have been quicker.
            },
            where);
    }

    // Waits for a place and puts an item there.
    future<> push_eventually(T item, const wait_limit& limit = {},
                             code_location where = code_location::current()) noexcept {
        if (full() && !_aborted) {
            return not_full(limit).then(
                [this, item = std::move(item), limit = limit.started(), where]() mutable {
                    return push_eventually(std::move(item), limit, where);
                },
                where);
        }
        if (_aborted) {
            return make_exception_future<>(_aborted);
        }
        return futurize_invoke([this, &item] { push(std::move(item)); });
    }

    // Ready once there is an item, which may be gone when the continuation runs.
    future<> not_empty(const wait_limit& limit = {}) noexcept {
        return wait_for(empty(), _consumers, "item of a queue", limit);
    }
    // The same for a place.
    future<> not_full(const wait_limit& limit = {}) noexcept {
        return wait_for(full(), _producers, "place in a queue", limit);
    }

    // Drops all items, and fails all who wait, now and later.
    void abort(std::exception_ptr error) noexcept {
        _items.clear();
        _aborted = std::move(error);
        _consumers.fail_all(_aborted);
        _producers.fail_all(_aborted);
    }

    bool empty() const noexcept { return _items.empty(); }
    bool full() const noexcept { return _items.size() >= _max_size; }
    std::size_t size() const noexcept { return _items.size(); }
    std::size_t max_size() const noexcept { return _max_size; }
    bool has_blocked_consumer() const noexcept { return !_consumers.empty(); }

    // Items that are there stay, even if there are more.
    void set_max_size(std::size_t max_size) noexcept {
        _max_size = max_size;
        for (std::size_t i = size(); i < max_size && !_producers.empty(); ++i) {
            _producers.notify();
        }
    }

private:
    future<> wait_for(bool must_wait, internal::queue_end& end, const char* what,
                      const wait_limit& limit) noexcept {
        if (_aborted) {
            return make_exception_future<>(_aborted);
        }
        return must_wait ? end.wait(code_location::named(what), 0, limit) : make_ready_future<>();
    }
};

}  // namespace miniss
