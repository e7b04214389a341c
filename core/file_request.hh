// The system calls about files that a backend can be asked to make.
#pragma once

#include <linux/openat2.h>

#include <cstddef>
#include <cstdint>
#include <variant>

struct iovec;
struct statx;

namespace miniss {

// Paths are relative to a directory's descriptor, or to the working directory with AT_FDCWD.
struct open_request {
    int directory;
    const char* path;
    open_how how;
};
struct close_request {
    int fd;
};
// Where the descriptor itself stands, for those that cannot be read or written elsewhere.
inline constexpr std::uint64_t current_offset = ~std::uint64_t{0};
struct read_request {
    int fd;
    void* into;
    std::size_t size_bytes;
    std::uint64_t offset;
    bool is_registered = false;  // The memory is the backend's file_buffers().
};
struct write_request {
    int fd;
    const void* from;
    std::size_t size_bytes;
    std::uint64_t offset;
    bool is_registered = false;
};
// The same from and to several pieces of memory, at most piece_count_max (IOV_MAX).
inline constexpr std::size_t piece_count_max = 1024;
struct read_list_request {
    int fd;
    const iovec* pieces;
    unsigned piece_count;
    std::uint64_t offset;
};
struct write_list_request {
    int fd;
    const iovec* pieces;
    unsigned piece_count;
    std::uint64_t offset;
};
struct sync_request {
    int fd;
};
// Sets and clears flags of an open file that can be changed: O_DIRECT, O_NONBLOCK.
struct flags_request {
    int fd;
    int set;
    int cleared;
};
// The mode is fallocate(2)'s.
struct allocate_request {
    int fd;
    int mode;
    std::uint64_t offset;
    std::uint64_t size_bytes;
};
struct truncate_request {
    int fd;
    std::uint64_t size_bytes;
};
struct stat_request {
    int directory;
    const char* path;
    int flags;
    struct statx* into;
};
struct rename_request {
    const char* from;
    const char* to;
};
// STATX_BASIC_STATS and STATX_DIOALIGN, which older headers lack.
inline constexpr unsigned stat_mask = 0x27ff;
// The flags are unlinkat(2)'s.
struct remove_request {
    const char* path;
    int flags;
};
struct make_directory_request {
    const char* path;
    unsigned mode;
};
// Brings entries as getdents64(2) does; 0 at the end.
struct list_request {
    int fd;
    void* into;
    std::size_t size_bytes;
};
// Moves bytes from a file into a pipe, waiting for the file but not for room.
struct fill_pipe_request {
    int fd;
    std::uint64_t offset;
    int pipe;
    std::size_t size_bytes;
};

// Lifetime: it, and all that it points to, stays where it is until the operation is complete.
struct file_request {
    std::variant<open_request, close_request, read_request, write_request, read_list_request,
                 write_list_request, sync_request, flags_request, allocate_request,
                 truncate_request, stat_request, rename_request, remove_request,
                 make_directory_request, list_request, fill_pipe_request>
        call;
};

}  // namespace miniss
