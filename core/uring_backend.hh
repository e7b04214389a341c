// I/O through one io_uring for each shard.
#pragma once

#include <memory>

#include <miniss/core/io_backend.hh>

namespace miniss {

class blocking_threads;

// Makes the ring of the calling thread's shard.
//
// Needs a kernel that defers completions to the thread that waits for them
// (IORING_SETUP_DEFER_TASKRUN, Linux 6.1): without that a ring interrupts the shard for every
// completion and is slower than epoll. Such kernels have all else that is used here.
//
// Errors: std::system_error EPERM (forbidden by a seccomp profile or by the sysctl
//         kernel.io_uring_disabled), ENOSYS or EINVAL (kernel too old, or miniss was built
//         without io_uring), ENOMEM (locked memory limit).
// Shard:  must be called, used and destroyed by one thread.
std::unique_ptr<io_backend> make_uring_backend(blocking_threads* threads = nullptr);

}  // namespace miniss
