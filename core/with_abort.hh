// Waiting for a result only until somebody calls it off.
#pragma once

#include <memory>

#include <miniss/core/abort_source.hh>
#include <miniss/core/future.hh>

namespace miniss {

namespace internal {

template <typename T>
struct abortable_result final : abort_listener {
    promise<T> result;
    bool aborted = false;

    void on_abort(const std::optional<std::exception_ptr>& reason) noexcept override {
        aborted = true;
        result.set_exception(reason ? *reason
                                    : std::make_exception_ptr(abort_requested_exception()));
    }
};

}  // namespace internal

// Gives the result of `work`, or abort_requested_exception, or the reason that was named, if an
// abort is requested before. That does not cancel the work: it goes on, and its late result, also
// an error, is dropped.
// Cost: two allocations if the work is pending.
template <typename T>
future<T> with_abort(abort_source& source, future<T> work) {
    if (work.available()) {
        return work;
    }
    auto state = std::make_unique<internal::abortable_result<T>>();
    auto result = state->result.get_future(code_location::named("with_abort"));
    if (source.abort_requested()) {
        state->on_abort(source.get_exception());
    } else {
        source.add(*state);
    }
    (void)work.then_wrapped(
        [state = std::move(state)](future<T> ended) noexcept {
            if (state->aborted) {
                ended.ignore_ready_future();
            } else {
                ended.forward_to(std::move(state->result));
            }
        },
        code_location::named("with_abort"));
    return result;
}

}  // namespace miniss
