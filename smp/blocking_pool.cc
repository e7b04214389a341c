#include <miniss/smp/blocking_pool.hh>

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include <miniss/core/assert.hh>
#include <miniss/smp/mailbox.hh>
#include <miniss/smp/signals_blocked.hh>

namespace miniss {

// What shards and threads have in common. The lock is held for a few instructions at a time, but
// while a thread is started.
struct blocking_pool::shared {
    std::mutex lock;
    std::condition_variable has_work;
    task_list queue;
    std::size_t queued_count = 0;
    std::vector<std::thread> threads;
    unsigned idle_count = 0;        // Threads that wait for work, or are about to look for it.
    unsigned unfinished_count = 0;  // Calls that are not back yet.
    bool closed = false;
    bool ending = false;

    internal::blocking_call& take_first() noexcept {
        auto& first = static_cast<internal::blocking_call&>(queue.front());
        queue.pop_front();
        --queued_count;
        return first;
    }
};

blocking_pool::blocking_pool(unsigned shard_count, unsigned thread_max,
                             const internal::borrowed_thread& starter)
    : _starter(starter), _thread_max(thread_max), _shared(std::make_unique<shared>()) {
    MINISS_ASSERT(thread_max != 0);
    for (unsigned id = 0; id < shard_count; ++id) {
        _places.push_back(std::make_unique<semaphore>(places_per_shard));
    }
}

blocking_pool::~blocking_pool() {
    {
        const std::lock_guard held(_shared->lock);
        MINISS_ASSERT(_shared->unfinished_count == 0);
        _shared->ending = true;
        _shared->has_work.notify_all();
    }
    for (std::thread& each : _shared->threads) {
        each.join();
    }
}

void blocking_pool::submit(internal::blocking_call& call) noexcept {
    call.home = this_shard->mail;
    const std::lock_guard held(_shared->lock);
    ++_shared->unfinished_count;
    const bool taken = !_shared->closed && (_shared->queued_count < _shared->idle_count ||
                                            start_thread() || !_shared->threads.empty());
    if (!taken) {
        call.refused = true;
        call.home->drop_in(call);
        return;
    }
    _shared->queue.push_back(call);
    ++_shared->queued_count;
    _shared->has_work.notify_one();
}

// With the lock held.
bool blocking_pool::start_thread() noexcept {
    const auto id = static_cast<unsigned>(_shared->threads.size());
    if (id == _thread_max) {
        return false;
    }
    const internal::signals_blocked in_thread;
    try {
        _shared->threads.emplace_back([this, id] { live(id); });
    } catch (const std::system_error&) {  // The others will have to do.
        return false;
    }
    ++_shared->idle_count;
    return true;
}

void blocking_pool::live(unsigned id) noexcept {
    (void)pthread_setname_np(pthread_self(), ("miniss/pool-" + std::to_string(id)).c_str());
    _starter.place_here();
    std::unique_lock held(_shared->lock);
    while (true) {
        _shared->has_work.wait(held, [this] { return _shared->ending || !_shared->queue.empty(); });
        if (_shared->queue.empty()) {
            return;
        }
        internal::blocking_call& call = _shared->take_first();
        --_shared->idle_count;
        held.unlock();
        call.work();
        call.home->drop_in(call);
        held.lock();
        ++_shared->idle_count;
    }
}

bool blocking_pool::close() noexcept {
    const std::lock_guard held(_shared->lock);
    _shared->closed = true;
    while (!_shared->queue.empty()) {
        internal::blocking_call& call = _shared->take_first();
        call.refused = true;
        call.home->drop_in(call);
    }
    return _shared->unfinished_count == 0;
}

bool blocking_pool::finish() noexcept {
    const std::lock_guard held(_shared->lock);
    --_shared->unfinished_count;
    return _shared->closed && _shared->unfinished_count == 0;
}

}  // namespace miniss
