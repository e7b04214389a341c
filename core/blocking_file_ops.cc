#include <miniss/core/blocking_file_ops.hh>

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include <miniss/core/kernel_files.hh>

namespace miniss::internal {

class blocking_file_ops::job final : public blocking_job {
public:
    blocking_file_ops& home;
    io_completion& waiter;
    const file_request& request;
    int result = -ECANCELED;

    job(blocking_file_ops& its_home, io_completion& whose) noexcept
        : home(its_home), waiter(whose), request(*std::get<file_op>(whose.submitted_op).request) {}

    void work() noexcept override {
        result = make_file_call(request);
        refuse();
    }
    void refuse() noexcept override;
};

struct blocking_file_ops::shared {
    std::mutex lock;
    std::vector<std::unique_ptr<job>> done;
};

// The lock is held until the backend has been woken: once the last job is taken, it may die.
void blocking_file_ops::job::refuse() noexcept {
    const std::lock_guard held(home._shared->lock);
    home._shared->done.emplace_back(this);
    home._some_done.store(true, std::memory_order_relaxed);
    home._backend.wake();
}

blocking_file_ops::blocking_file_ops(io_backend& backend, blocking_threads* threads)
    : _backend(backend), _threads(threads), _shared(std::make_unique<shared>()) {}

// A thread may still be about to let go of the lock.
blocking_file_ops::~blocking_file_ops() { _own_threads.reset(); }

void blocking_file_ops::submit(io_completion& waiter) noexcept {
    if (_threads == nullptr) {
        _own_threads = std::make_unique<blocking_threads>(own_thread_max);
        _threads = _own_threads.get();
    }
    ++_in_flight_count;
    _threads->submit(*new job(*this, waiter));
}

bool blocking_file_ops::poll() noexcept {
    if (!_some_done.load(std::memory_order_relaxed)) {
        return false;
    }
    std::vector<std::unique_ptr<job>> done;
    {
        const std::lock_guard held(_shared->lock);
        done.swap(_shared->done);
        _some_done.store(false, std::memory_order_relaxed);
    }
    for (const auto& each : done) {
        --_in_flight_count;
        io_result result;
        result.value = each->result;
        each->waiter.complete(std::move(result));
    }
    return true;
}

}  // namespace miniss::internal
