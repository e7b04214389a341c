// An rwlock with the names of std::shared_mutex.
#pragma once

#include <miniss/core/rwlock.hh>

namespace miniss {

// Lifetime, Shard, Errors, Cost: those of rwlock.
class shared_mutex {
    rwlock _lock;

public:
    future<> lock(const wait_limit& limit = {}) noexcept { return _lock.write_lock(limit); }
    bool try_lock() noexcept { return _lock.try_write_lock(); }
    void unlock() noexcept { _lock.write_unlock(); }

    future<> lock_shared(const wait_limit& limit = {}) noexcept { return _lock.read_lock(limit); }
    bool try_lock_shared() noexcept { return _lock.try_read_lock(); }
    void unlock_shared() noexcept { _lock.read_unlock(); }

    auto for_shared() noexcept { return _lock.for_read(); }
};

// Calls `func` with the mutex locked for sharing; with_lock() is for having it alone.
// Lifetime: func is kept until its future is ready.
template <typename Func>
auto with_shared(shared_mutex& shared, Func&& func) noexcept {
    return with_lock(shared.for_shared(), std::forward<Func>(func));
}

}  // namespace miniss
