// A task that waits for futures which stay where they are: a coroutine's frame, a fiber,
// when_all().
#pragma once

#include <miniss/core/task.hh>

namespace miniss::internal {

class suspended_task : public task {
    const code_location* _source = nullptr;

public:
    // Goes on once `awaited`, which stays at its address until then, is ready.
    template <typename Future>
    void await(Future& awaited, code_location where) noexcept {
        attached_at = where;
        _source = &awaited.origin();
        awaited.wake_when_ready(*this);
    }

protected:
    ~suspended_task() = default;
    task_ties tied_to(const task* waiter) const noexcept { return {_source, waiter}; }
};

}  // namespace miniss::internal
