// Threads for calls that block.
#pragma once

#include <memory>

#include <miniss/core/noncopyable_function.hh>

namespace miniss {

// A call for a thread that may block. Either of the two is called, once, and may as its last act
// hand the job on to somebody, or free it.
class blocking_job {
public:
    // On one of the threads.
    virtual void work() noexcept = 0;
    // On the thread of submit() or refuse_queued(): no thread will do it.
    virtual void refuse() noexcept = 0;

    blocking_job* next = nullptr;  // In the queue.

protected:
    ~blocking_job() = default;
};

// Starts a thread when there is work and no idle one, up to its limit; they end with *this. They
// are called miniss/pool-0 and so on, and take no signals.
//
// Shard: any thread, but the constructor and destructor.
class blocking_threads {
    struct shared;
    std::unique_ptr<shared> _shared;

public:
    // at_start(number) is called on each new thread, on several at the same time.
    explicit blocking_threads(
        unsigned thread_max, noncopyable_function<void(unsigned)> at_start = [](unsigned) {});
    // All jobs have begun, or were refused, by then.
    ~blocking_threads();

    // Queues the job; refuses it if there is no thread to do it, and none can be started.
    void submit(blocking_job& job) noexcept;

    // Returns when no job is being worked on: who gave a job has heard of its end a moment before.
    void wait_until_idle() noexcept;
    // Refuses all jobs that were not begun.
    void refuse_queued() noexcept;
};

}  // namespace miniss
