// The files below one directory, and no others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace miniss::http {

// Whether a call may wait for a disk. If it may not and would have to, it gives -EAGAIN; so it does
// where the system cannot tell.
enum class patience : bool { none, any };

// An open file. Closes itself.
class open_file {
    int _fd = -1;

public:
    // What it is. Other things are pipes, devices and sockets.
    enum class kind : std::uint8_t { regular, directory, other };

    // What fstat() says.
    struct facts {
        kind what = kind::other;
        std::uint64_t size_bytes = 0;
        std::uint64_t inode = 0;
        std::int64_t modified_seconds = 0;
        std::int64_t modified_nanoseconds = 0;
    };

    open_file() noexcept = default;
    explicit open_file(int fd) noexcept : _fd(fd) {}
    open_file(open_file&& other) noexcept;
    open_file& operator=(open_file&& other) noexcept;
    ~open_file();

    // Gives 0 or -errno.
    int look(facts& to) const noexcept;

    // Reads at most `size_bytes` from `offset` on. Gives how many, 0 at the end, or -errno.
    std::ptrdiff_t read(char* to, std::size_t size_bytes, std::uint64_t offset,
                        patience how) const noexcept;

    int fd() const noexcept { return _fd; }
};

// Opens files by their path from a directory. Nothing outside of it can be reached: not by `..`,
// not by an absolute path, and not by symbolic links, which are followed only where the kernel can
// see to it that they stay inside (openat2(), Linux 5.6); else they are not followed at all.
//
// Shard: any; its calls may be made on any thread at the same time.
class file_tree {
    int _root;

public:
    // Throws std::system_error: ENOENT, ENOTDIR, EACCES, ...
    explicit file_tree(const std::string& directory);
    file_tree(const file_tree&) = delete;
    file_tree& operator=(const file_tree&) = delete;
    ~file_tree();

    // Opens for reading; the directory itself is ".". Never waits for the other end of a pipe.
    // Gives 0 or -errno; -EXDEV: leads outside.
    int open(const std::string& path, patience how, open_file& to) const noexcept;

    // The same as on a kernel without openat2(), step by step.
    int open_by_steps(const std::string& path, open_file& to) const;
};

}  // namespace miniss::http
