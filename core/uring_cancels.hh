// The cancels that an io_uring has not answered yet.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <miniss/core/io_backend.hh>

namespace miniss::internal {

// A waiter may die as soon as its operation is complete, also while a cancel for it is under way.
// So the kernel gets, and hands back, a number instead of the waiter.
class uring_cancels {
    std::vector<io_completion*> _waiters{nullptr};  // By number, of which 0 means none.
    std::vector<unsigned> _free;

public:
    // Gives the waiter the number of its next cancel.
    void ask(io_completion& waiter) {
        if (_free.empty()) {
            _waiters.push_back(nullptr);
            _free.reserve(_waiters.capacity());  // So that answered() needs no memory.
            _free.push_back(static_cast<unsigned>(_waiters.size() - 1));
        }
        waiter.cancel_number = _free.back();
        _free.pop_back();
        _waiters[waiter.cancel_number] = &waiter;
    }

    // The operation is complete, so that a cancel under way is no longer for anybody.
    void forget(io_completion& waiter) noexcept {
        _waiters[std::exchange(waiter.cancel_number, 0)] = nullptr;
    }

    // The kernel has answered a cancel. Returns the waiter for which it must be asked again: the
    // kernel finds no operation while it is just being run (ENOENT, EALREADY), as that of a peer
    // that sends all the time may be, and that need not have been its end.
    io_completion* answered(unsigned number, int answer) noexcept {
        _free.push_back(number);
        io_completion* waiter = std::exchange(_waiters[number], nullptr);
        if (waiter != nullptr) {
            waiter->cancel_number = 0;
        }
        return answer < 0 ? waiter : nullptr;
    }
};

}  // namespace miniss::internal
