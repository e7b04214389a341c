// Work under a lock, whatever kind of lock it is.
#pragma once

#include <tuple>

#include <miniss/core/do_with.hh>

namespace miniss {

// Calls `func` once lock.lock() is ready, and lock.unlock() when func's future is.
// Lifetime: func is kept until then; a lock that is passed by value, such as rwlock::for_read(),
//           too.
// Errors:   those of lock(), and then func is not called.
template <typename Lock, typename Func>
auto with_lock(Lock&& lock, Func&& func) noexcept {
    auto locked = lock.lock();
    return locked.then([kept = std::tuple<Lock>(std::forward<Lock>(lock)),
                        func = std::forward<Func>(func)]() mutable {
        return internal::invoke_kept(std::move(func)).finally([kept = std::move(kept)]() mutable {
            std::get<0>(kept).unlock();
        });
    });
}

}  // namespace miniss
