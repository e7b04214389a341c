#include <miniss/core/waiter_queue.hh>

#include <memory>
#include <new>

namespace miniss::internal {

// One who leaves when his limit has come.
class waiter_queue::limited_waiter final : public waiter, expiring, abort_listener {
    waiter_queue& _queue;

public:
    explicit limited_waiter(waiter_queue& queue) noexcept : _queue(queue) {}

    // False if the limit has come already.
    bool watch(const wait_limit& limit) noexcept {
        if (abort_source* source = limit.source()) {
            if (source->abort_requested()) {
                ready.set_exception(source->reason().value_or(_queue.aborted()));
                return false;
            }
            source->add(*this);
            return true;
        }
        expiry = limit.expiry();
        if (!arm_steady(*this)) {
            ready.set_exception(_queue.timed_out());
            return false;
        }
        return true;
    }

private:
    void expire() noexcept override { leave(_queue.timed_out()); }
    void abandon() noexcept override { leave(_queue.timed_out()); }
    void on_abort(const std::optional<std::exception_ptr>& reason) noexcept override {
        leave(reason.value_or(_queue.aborted()));
    }

    void leave(std::exception_ptr error) noexcept {
        waiter_queue& queue = _queue;
        ready.set_exception(std::move(error));
        queue._waiters.erase(queue._waiters.iterator_to(*this));
        delete this;
        queue.waiter_left();
    }
};

waiter_queue::~waiter_queue() { _waiters.clear_and_dispose(std::default_delete<waiter>()); }

future<> waiter_queue::wait(code_location what, std::size_t wants,
                            const wait_limit& limit) noexcept {
    if (limit.is_never()) {
        auto* queued = new (std::nothrow) waiter;
        if (queued == nullptr) {
            return make_exception_future<>(std::bad_alloc());
        }
        queued->wants = wants;
        _waiters.push_back(*queued);
        return queued->ready.get_future(what);
    }
    std::unique_ptr<limited_waiter> queued(new (std::nothrow) limited_waiter(*this));
    if (queued == nullptr) {
        return make_exception_future<>(std::bad_alloc());
    }
    auto ready = queued->ready.get_future(what);
    if (queued->watch(limit)) {
        queued->wants = wants;
        _waiters.push_back(*queued.release());
    }
    return ready;
}

void waiter_queue::wake_front() noexcept {
    waiter& next = _waiters.front();
    _waiters.pop_front();
    next.ready.set_value();
    delete &next;
}

void waiter_queue::wake_all() noexcept {
    while (!empty()) {
        wake_front();
    }
}

void waiter_queue::fail_all(const std::exception_ptr& error) noexcept {
    _waiters.clear_and_dispose([&error](waiter* queued) {
        queued->ready.set_exception(error);
        delete queued;
    });
}

std::exception_ptr waiter_queue::timed_out() const noexcept {
    return std::make_exception_ptr(timed_out_error());
}

std::exception_ptr waiter_queue::aborted() const noexcept {
    return std::make_exception_ptr(abort_requested_exception());
}

}  // namespace miniss::internal
