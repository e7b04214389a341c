// I/O through epoll, where io_uring is forbidden or the kernel too old for it.
#pragma once

#include <memory>

#include <miniss/core/io_backend.hh>

namespace miniss {

class blocking_threads;

// Errors: std::system_error EMFILE, ENFILE, ENOMEM.
// Shard:  must be used and destroyed by one thread.
std::unique_ptr<io_backend> make_epoll_backend(blocking_threads* threads = nullptr);

}  // namespace miniss
