// Which backend a process runs on.
#pragma once

#include <memory>
#include <string>

namespace miniss {

class blocking_threads;
class io_backend;

enum class backend_kind { automatic, io_uring, epoll };

// Which one it came to.
struct chosen_backend {
    backend_kind kind;             // Never automatic.
    std::string why_not_io_uring;  // Empty if it is io_uring, or if epoll was asked for.
};

// Finds out, by making one and throwing it away, which backend `wanted` comes to: automatic is
// io_uring where the kernel allows it and is new enough, and epoll otherwise.
// Errors: std::system_error if `wanted` is io_uring and cannot be had.
chosen_backend choose_backend(backend_kind wanted);

// Makes one for the shard of the calling thread.
// Lifetime: the threads, which do the file operations that the kernel does not do by itself,
// outlive
//           the backend. Without them it starts some of its own once it needs them.
// Errors:   std::system_error.
std::unique_ptr<io_backend> make_backend(backend_kind kind, blocking_threads* threads = nullptr);

}  // namespace miniss
