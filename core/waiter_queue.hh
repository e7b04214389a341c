// Those who wait for the same thing, in the order in which they came.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>

#include <miniss/core/future.hh>
#include <miniss/core/wait_limit.hh>

namespace miniss::internal {

struct waiter : in_task_memory, boost::intrusive::list_base_hook<> {
    promise<> ready;
    std::size_t wants = 0;
    virtual ~waiter() = default;
};

// The base of whatever has waiters. A waiter leaves when he is woken, or failed together with all
// others, or on his own when his limit has come.
//
// Lifetime: waiters that are left when it dies get broken_promise.
// Shard:    every call on the shard that created it.
// Cost:     one allocation for each waiter; leaving is O(1), from the middle too.
class waiter_queue {
    using waiter_list = boost::intrusive::list<waiter, boost::intrusive::constant_time_size<true>>;

    waiter_list _waiters;

    class limited_waiter;

public:
    waiter_queue() noexcept = default;
    waiter_queue(const waiter_queue&) = delete;
    waiter_queue& operator=(const waiter_queue&) = delete;

    bool empty() const noexcept { return _waiters.empty(); }
    std::size_t size() const noexcept { return _waiters.size(); }

    // What the one in front has asked for. Requires !empty().
    std::size_t front_wants() const noexcept { return _waiters.front().wants; }

    // Queues the caller, who is said to wait for `what`.
    // Errors: what timed_out() and aborted() give; std::bad_alloc.
    future<> wait(code_location what, std::size_t wants = 0, const wait_limit& limit = {}) noexcept;

    // Lets the one in front go. Requires !empty().
    void wake_front() noexcept;
    void wake_all() noexcept;
    void fail_all(const std::exception_ptr& error) noexcept;

protected:
    ~waiter_queue();

    // What those get whose limit has come.
    virtual std::exception_ptr timed_out() const noexcept;
    virtual std::exception_ptr aborted() const noexcept;

    // One has left on his own: perhaps those behind him need not wait any more.
    virtual void waiter_left() noexcept {}
};

}  // namespace miniss::internal
