// The memory for direct I/O that a shard's io_uring knows.
#pragma once

#include <vector>

#include <miniss/core/file_buffer_pool.hh>

struct io_uring;

namespace miniss::internal {

// Made, and registered with the ring, when it is asked for the first time, so that programs without
// direct I/O have none. If the kernel refuses, such as where the limit on locked memory
// (RLIMIT_MEMLOCK) is reached, there is none either, and it is not asked again.
class uring_file_buffers {
    io_uring& _ring;
    file_buffer_pool* _pool = nullptr;
    bool _was_refused = false;

public:
    explicit uring_file_buffers(io_uring& ring) noexcept : _ring(ring) {}
    uring_file_buffers(const uring_file_buffers&) = delete;
    uring_file_buffers& operator=(const uring_file_buffers&) = delete;
    ~uring_file_buffers();

    // Null if it was refused.
    file_buffer_pool* get() noexcept;

    void add_statistics(std::vector<pool_statistics>& all) const;

private:
    void make() noexcept;
};

}  // namespace miniss::internal
