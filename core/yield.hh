// Letting others have a turn.
#pragma once

#include <miniss/core/future.hh>

namespace miniss {

namespace internal {

class yielder final : public task {
    promise<> _done;

public:
    future<> start() noexcept {
        auto done = _done.get_future(code_location::named("yield"));
        schedule(*this);
        return done;
    }
    void run_and_dispose() noexcept override {
        _done.set_value();
        delete this;
    }
};

}  // namespace internal

// Ready once everything that is ready to run on this shard has run.
// Cost: one allocation.
inline future<> yield() noexcept { return (new internal::yielder)->start(); }

// The same, if the time slice is over; otherwise ready at once. For long computations:
//
//     return do_for_each(rows, [](row& each) { work(each); return maybe_yield(); });
//
// Cost: mostly one decrement.
inline future<> maybe_yield() noexcept { return need_preempt() ? yield() : make_ready_future<>(); }

}  // namespace miniss
