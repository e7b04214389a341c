// Files: reading and writing at an offset, without holding the shard up.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/uio.h>

#include <miniss/core/buffer.hh>
#include <miniss/core/file_call.hh>
#include <miniss/core/noncopyable_function.hh>

namespace miniss {

// How a file is opened; combined by |.
enum class open_flags : unsigned {
    ro = O_RDONLY,
    wo = O_WRONLY,
    rw = O_RDWR,
    create = O_CREAT,
    truncate = O_TRUNC,
    exclusive = O_EXCL,
    dsync = O_DSYNC,
    append = O_APPEND,
};
constexpr open_flags operator|(open_flags left, open_flags right) noexcept {
    return static_cast<open_flags>(static_cast<unsigned>(left) | static_cast<unsigned>(right));
}

// What else there is to say about how a file is opened.
struct file_open_options {
    unsigned create_permissions = 0644;  // Less what umask(2) takes away.
};

// What a name stands for.
enum class directory_entry_type {
    unknown,
    block_device,
    char_device,
    directory,
    fifo,
    link,
    regular,
    socket
};

// One name in a directory.
struct directory_entry {
    std::string name;
    directory_entry_type type;  // Unknown where the file system does not say.
};

// What the file system knows of a file, see statx(2).
struct stat_data {
    std::uint64_t device_id;
    std::uint64_t inode_number;
    std::uint64_t mode;
    directory_entry_type type;
    std::uint64_t number_of_links;
    std::uint64_t uid;
    std::uint64_t gid;
    std::uint64_t size;            // In bytes.
    std::uint64_t block_size;      // Suits reads and writes.
    std::uint64_t allocated_size;  // In bytes.
    std::chrono::system_clock::time_point time_accessed;
    std::chrono::system_clock::time_point time_modified;
    std::chrono::system_clock::time_point time_changed;
};

// A reference to an open file or directory; copies refer to the same one.
//
// The names are Seastar's: what dma_read() and dma_write() do on a file that was opened with
// open_file_dma() goes past the page cache, if the file system can, and through it otherwise.
//
// Several calls may be under way at a time, of a pipe or terminal one read and one write. They are
// not cancelled: a future that is dropped, or a timeout, leaves the call to its end, with the
// buffers it was given.
//
// Lifetime: call close() to hear of errors. Otherwise it is closed when the last reference is gone.
//           That must be before its shard ends.
// Shard:    the one that opened it.
// Errors:   every future: std::system_error, such as EIO, ENOSPC, EBADF (it is closed, or was not
//           opened for this).
// Cost:     one allocation for each call. On epoll a thread makes the call, see blocking_threads.
class file {
    internal::file_ref _file;

    struct stat_call;
    struct alignment_call;
    struct flags_call;
    struct list_call;

public:
    file() noexcept = default;
    explicit file(internal::open_file& opened) noexcept : _file(opened) {}

    // A descriptor that was opened by somebody else, such as standard input: it is read and written
    // where it stands, whatever the offset. Takes it over.
    static file from_descriptor(int fd);

    // A regular file that somebody else has open.
    // Lifetime: must stay open as long as there are references. Do not close() it.
    static file borrow(int fd);

    explicit operator bool() const noexcept { return static_cast<bool>(_file); }
    int fd() const noexcept { return _file->fd(); }

    // What addresses and offsets, and sizes, must be multiples of where direct I/O is done.
    unsigned memory_dma_alignment() const noexcept { return _file->memory_alignment; }
    unsigned disk_read_dma_alignment() const noexcept { return _file->offset_alignment; }
    unsigned disk_write_dma_alignment() const noexcept { return _file->offset_alignment; }

    // Memory whose address suits direct I/O of this file. On io_uring it comes, up to 64 KiB at a
    // time, from a pool that the kernel knows, which makes reads and writes from and to it cheaper;
    // once that is empty, and otherwise, from the heap: see file_buffer_pool. What dma_read() and
    // the streams of files make for themselves comes from there, too.
    // Throws std::bad_alloc.
    temporary_buffer<char> make_buffer(std::size_t size_bytes) const;

    // Reads as many bytes; fewer only where the file ends. A pipe gives what it has.
    // Lifetime: `into` must stay valid until the future is ready.
    // Errors:   EINVAL if they are not aligned.
    future<std::size_t> dma_read(std::uint64_t offset, char* into,
                                 std::size_t size_bytes) const noexcept;

    // The same into a buffer of its own, which is as long as what was read. Of any alignment.
    future<temporary_buffer<char>> dma_read(std::uint64_t offset,
                                            std::size_t size_bytes) const noexcept;

    // The same into several pieces of memory, one after the other; with direct I/O each of them
    // must be aligned.
    future<std::size_t> dma_read(std::uint64_t offset, std::vector<iovec> into) const noexcept;

    // Writes all of the bytes, or fails; how many of them were written is then unknown.
    // Lifetime: `from` must stay valid until the future is ready.
    // Errors:   ENOSPC, EFBIG, EDQUOT; EINVAL if they are not aligned.
    future<std::size_t> dma_write(std::uint64_t offset, const char* from,
                                  std::size_t size_bytes) const noexcept;
    future<std::size_t> dma_write(std::uint64_t offset, temporary_buffer<char> from) const noexcept;
    future<std::size_t> dma_write(std::uint64_t offset, std::vector<iovec> from) const noexcept;

    // What was written is on the disk, and the size that goes with it. This is where errors of
    // writing the page cache back come up.
    future<> flush() const noexcept;

    future<stat_data> stat() const noexcept;
    future<std::uint64_t> size() const noexcept;

    future<> truncate(std::uint64_t size_bytes) const noexcept;
    // Gets disk space; the size stays.
    future<> allocate(std::uint64_t offset, std::uint64_t size_bytes) const noexcept;
    // Gives disk space back; the bytes are zero then.
    future<> discard(std::uint64_t offset, std::uint64_t size_bytes) const noexcept;

    // Calls next(entry) for all entries of a directory but . and .., one after the other.
    // Errors: ENOTDIR; what `next` fails with, which ends the listing.
    future<> list_directory(noncopyable_function<future<>(directory_entry)> next) const noexcept;

    // Waits for the calls that are under way. Later ones fail.
    future<> close() const noexcept;

    // For the library.
    const internal::file_ref& opened() const noexcept { return _file; }

    // From now on past the page cache, if that is possible.
    future<> go_direct() const noexcept;
    // From now on every call that has to wait does.
    future<> go_blocking() const noexcept;

private:
    template <typename Call>
    future<typename Call::result> start(Call call) const noexcept {
        if (_file->closed()) {
            return make_exception_future<typename Call::result>(
                internal::file_error(EBADF, Call::name));
        }
        return internal::make_call(_file->backend(), std::move(call));
    }
    template <typename Call>
    future<typename Call::result> start_when(const io_op& ready, Call call) const noexcept;
};

// Opens a file for buffered reading and writing: for small or often read files.
// Errors: ENOENT, EACCES, EEXIST, …; EINVAL for a path with a zero in it.
future<file> open_file(std::string_view path, open_flags flags,
                       file_open_options options = {}) noexcept;

// Opens a file for direct I/O, past the page cache: for programs that have a cache of their own.
// Where the file system refuses that, it is buffered, and all alignments are 1.
future<file> open_file_dma(std::string_view path, open_flags flags,
                           file_open_options options = {}) noexcept;

// Opens a directory, to list it or to open files beneath it.
future<file> open_directory(std::string_view path) noexcept;

// Opens a file below a directory for buffered I/O, and nothing that is not below it: `..`, absolute
// paths and links cannot lead out. It is a regular file or a directory: what else may have a name
// there, such as a pipe on which nobody may ever speak, is refused without waiting for it.
// Errors: EXDEV if the path leads out; ENXIO if it is something else; and those of open_file().
future<file> open_file_beneath(const file& directory, std::string_view path, open_flags flags,
                               file_open_options options = {}) noexcept;

}  // namespace miniss
