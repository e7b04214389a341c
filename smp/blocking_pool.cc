#include <miniss/smp/blocking_pool.hh>

#include <mutex>

#include <miniss/core/assert.hh>
#include <miniss/smp/mailbox.hh>

namespace miniss {

void internal::blocking_call::work() noexcept {
    call();
    home->drop_in(*this);
}

void internal::blocking_call::refuse() noexcept {
    refused = true;
    home->drop_in(*this);
}

// What shards have in common.
struct blocking_pool::shared {
    std::mutex lock;
    unsigned unfinished_count = 0;  // Calls that are not back yet.
    bool closed = false;
};

blocking_pool::blocking_pool(unsigned shard_count, unsigned thread_max,
                             const internal::borrowed_thread& starter)
    : _shared(std::make_unique<shared>()),
      _threads(thread_max, [&starter](unsigned) { starter.place_here(); }) {
    for (unsigned id = 0; id < shard_count; ++id) {
        _places.push_back(std::make_unique<semaphore>(places_per_shard));
    }
}

blocking_pool::~blocking_pool() { MINISS_ASSERT(_shared->unfinished_count == 0); }

void blocking_pool::submit(internal::blocking_call& call) noexcept {
    call.home = this_shard->mail;
    const std::lock_guard held(_shared->lock);
    ++_shared->unfinished_count;
    if (_shared->closed) {
        call.refuse();
    } else {
        _threads.submit(call);
    }
}

bool blocking_pool::close() noexcept {
    const std::lock_guard held(_shared->lock);
    _shared->closed = true;
    _threads.refuse_queued();
    return _shared->unfinished_count == 0;
}

bool blocking_pool::finish() noexcept {
    const std::lock_guard held(_shared->lock);
    --_shared->unfinished_count;
    return _shared->closed && _shared->unfinished_count == 0;
}

}  // namespace miniss
