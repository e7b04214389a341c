#include <miniss/core/blocking_threads.hh>

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <miniss/core/assert.hh>
#include <miniss/core/log_rescue.hh>
#include <miniss/core/signals_blocked.hh>

namespace miniss {

// The lock is held for a few instructions at a time, but while a thread is started.
struct blocking_threads::shared {
    unsigned thread_max;
    noncopyable_function<void(unsigned)> at_start;
    std::mutex lock;
    std::condition_variable has_work;
    std::condition_variable all_idle;
    blocking_job* first = nullptr;
    blocking_job** end = &first;
    std::size_t queued_count = 0;
    std::vector<std::thread> threads;
    unsigned idle_count = 0;  // Threads that wait for work, or are about to look for it.
    bool ending = false;

    // All with the lock held; the second needs a job in the queue.
    void push(blocking_job& job) noexcept {
        job.next = nullptr;
        *end = &job;
        end = &job.next;
        ++queued_count;
    }
    blocking_job& pop() noexcept {
        blocking_job& job = *first;
        first = job.next;
        if (first == nullptr) {
            end = &first;
        }
        --queued_count;
        return job;
    }
    bool start_thread() noexcept;
    void live(unsigned number) noexcept;
};

blocking_threads::blocking_threads(unsigned thread_max,
                                   noncopyable_function<void(unsigned)> at_start)
    : _shared(std::make_unique<shared>()) {
    MINISS_ASSERT(thread_max != 0);
    _shared->thread_max = thread_max;
    _shared->at_start = std::move(at_start);
}

blocking_threads::~blocking_threads() {
    {
        const std::lock_guard held(_shared->lock);
        MINISS_ASSERT(_shared->first == nullptr);
        _shared->ending = true;
        _shared->has_work.notify_all();
    }
    for (std::thread& each : _shared->threads) {
        each.join();
    }
}

void blocking_threads::submit(blocking_job& job) noexcept {
    std::unique_lock held(_shared->lock);
    if (_shared->queued_count < _shared->idle_count || _shared->start_thread() ||
        !_shared->threads.empty()) {
        _shared->push(job);
        _shared->has_work.notify_one();
        return;
    }
    held.unlock();
    job.refuse();
}

void blocking_threads::wait_until_idle() noexcept {
    std::unique_lock held(_shared->lock);
    _shared->all_idle.wait(held, [this] { return _shared->idle_count == _shared->threads.size(); });
}

void blocking_threads::refuse_queued() noexcept {
    const std::lock_guard held(_shared->lock);
    while (_shared->first != nullptr) {
        _shared->pop().refuse();
    }
}

bool blocking_threads::shared::start_thread() noexcept {
    const auto number = static_cast<unsigned>(threads.size());
    if (number == thread_max) {
        return false;
    }
    const internal::signals_blocked in_thread;
    try {
        threads.emplace_back([this, number] { live(number); });
    } catch (const std::system_error&) {  // The others will have to do.
        return false;
    }
    ++idle_count;
    return true;
}

void blocking_threads::shared::live(unsigned number) noexcept {
    (void)pthread_setname_np(pthread_self(), ("miniss/pool-" + std::to_string(number)).c_str());
    const internal::rescue_stack stack;
    at_start(number);
    std::unique_lock held(lock);
    while (true) {
        has_work.wait(held, [this] { return ending || first != nullptr; });
        if (first == nullptr) {
            return;
        }
        blocking_job& job = pop();
        --idle_count;
        held.unlock();
        job.work();
        held.lock();
        if (++idle_count == threads.size()) {
            all_idle.notify_all();
        }
    }
}

}  // namespace miniss
