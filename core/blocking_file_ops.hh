// The file operations that a backend leaves to threads which may block.
#pragma once

#include <atomic>
#include <memory>

#include <miniss/core/blocking_threads.hh>
#include <miniss/core/io_backend.hh>

namespace miniss::internal {

// Lifetime: no operation may be under way when it dies.
// Shard:    the backend's.
// Cost:     one allocation for an operation, and a thread is woken, which costs more than all else.
class blocking_file_ops {
    class job;
    struct shared;

    io_backend& _backend;
    blocking_threads* _threads;
    std::unique_ptr<blocking_threads> _own_threads;  // If it was given none.
    std::unique_ptr<shared> _shared;
    std::atomic<bool> _some_done{false};
    std::size_t _in_flight_count = 0;

public:
    static constexpr unsigned own_thread_max = 4;

    blocking_file_ops(io_backend& backend, blocking_threads* threads);
    ~blocking_file_ops();

    // Its submitted_op is a file_op.
    void submit(io_completion& waiter) noexcept;
    // Completes those that are done. True if any was.
    bool poll() noexcept;
    std::size_t in_flight_count() const noexcept { return _in_flight_count; }
};

}  // namespace miniss::internal
