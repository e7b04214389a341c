// A lock for many readers or one writer.
#pragma once

#include <limits>

#include <miniss/core/semaphore.hh>
#include <miniss/core/with_lock.hh>

namespace miniss {

// First come, first served: readers who come after a waiting writer wait behind him, so neither
// kind starves the other.
//
// Lifetime: nobody may hold it or wait for it when it dies.
// Shard:    every call on the shard that created it.
// Errors:   those of semaphore::wait(): semaphore_timed_out, semaphore_aborted, std::bad_alloc.
// Cost:     that of a semaphore.
class rwlock {
    static constexpr std::size_t everything =
        static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());

    semaphore _units{everything};

    // What with_lock() takes.
    class reading {
        rwlock* _of;

    public:
        explicit reading(rwlock& of) noexcept : _of(&of) {}
        future<> lock() noexcept { return _of->read_lock(); }
        void unlock() noexcept { _of->read_unlock(); }
    };
    class writing {
        rwlock* _of;

    public:
        explicit writing(rwlock& of) noexcept : _of(&of) {}
        future<> lock() noexcept { return _of->write_lock(); }
        void unlock() noexcept { _of->write_unlock(); }
    };

public:
    // Holds the lock, and lets it go when it dies.
    using holder = semaphore_units;

    rwlock() noexcept = default;
    ~rwlock() {
        const bool rwlock_is_locked = locked();
        MINISS_ASSERT(!rwlock_is_locked);  // Somebody holds it, and perhaps others wait for it.
    }

    future<> read_lock(const wait_limit& limit = {}) noexcept { return _units.wait(limit, 1); }
    future<> write_lock(const wait_limit& limit = {}) noexcept {
        return _units.wait(limit, everything);
    }

    bool try_read_lock() noexcept { return _units.try_wait(1); }
    bool try_write_lock() noexcept { return _units.try_wait(everything); }

    void read_unlock() noexcept {
        MINISS_ASSERT(locked());
        _units.signal(1);
    }
    void write_unlock() noexcept {
        MINISS_ASSERT(_units.current() == 0);
        _units.signal(everything);
    }

    future<holder> hold_read_lock(const wait_limit& limit = {}) noexcept {
        return get_units(_units, 1, limit);
    }
    future<holder> hold_write_lock(const wait_limit& limit = {}) noexcept {
        return get_units(_units, everything, limit);
    }

    // By readers or a writer.
    bool locked() const noexcept { return _units.current() != everything; }

    // The two ways to lock it: with_lock(files.for_read(), ...).
    reading for_read() noexcept { return reading(*this); }
    writing for_write() noexcept { return writing(*this); }
};

}  // namespace miniss
