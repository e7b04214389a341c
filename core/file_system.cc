#include <miniss/core/file_system.hh>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include <miniss/core/loop.hh>
#include <miniss/core/reactor.hh>

namespace miniss {

namespace {

using internal::file_call;
using internal::file_error;
using internal::file_use;
using internal::make_call;
using internal::plain_call;

io_backend& backend_here() noexcept { return engine().backend(); }

directory_entry_type type_of_mode(unsigned mode) noexcept {
    switch (mode & S_IFMT) {
    case S_IFBLK:
        return directory_entry_type::block_device;
    case S_IFCHR:
        return directory_entry_type::char_device;
    case S_IFDIR:
        return directory_entry_type::directory;
    case S_IFIFO:
        return directory_entry_type::fifo;
    case S_IFLNK:
        return directory_entry_type::link;
    case S_IFREG:
        return directory_entry_type::regular;
    case S_IFSOCK:
        return directory_entry_type::socket;
    default:
        return directory_entry_type::unknown;
    }
}

std::chrono::system_clock::time_point time_of(const statx_timestamp& stamp) noexcept {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::seconds(stamp.tv_sec) + std::chrono::nanoseconds(stamp.tv_nsec)));
}

std::uint64_t device_of(unsigned major, unsigned minor) noexcept {
    return std::uint64_t{major} << 32 | minor;
}

stat_data data_of(const struct statx& raw) noexcept {
    stat_data data{};
    data.device_id = device_of(raw.stx_dev_major, raw.stx_dev_minor);
    data.inode_number = raw.stx_ino;
    data.mode = raw.stx_mode;
    data.type = type_of_mode(raw.stx_mode);
    data.number_of_links = raw.stx_nlink;
    data.uid = raw.stx_uid;
    data.gid = raw.stx_gid;
    data.size = raw.stx_size;
    data.block_size = raw.stx_blksize;
    data.allocated_size = raw.stx_blocks * 512;
    data.time_accessed = time_of(raw.stx_atime);
    data.time_modified = time_of(raw.stx_mtime);
    data.time_changed = time_of(raw.stx_ctime);
    return data;
}

// What names a file that is open.
constexpr const char* no_path = "";

struct path_stat_call : plain_call {
    using result = stat_data;
    static constexpr const char* name = "stat";
    std::string path;
    int flags;
    struct statx raw {};

    path_stat_call(std::string_view of, int how) : path(of), flags(how) {}
    file_request request() noexcept { return {stat_request{AT_FDCWD, path.c_str(), flags, &raw}}; }
    stat_data finish(int) const noexcept { return data_of(raw); }
};

struct open_call : plain_call {
    using result = int;
    static constexpr const char* name = "open";
    file directory;
    std::string path;
    open_how how;

    open_call(const file& from, std::string_view what, const open_how& in_this_way)
        : directory(from), path(what), how(in_this_way) {}
    file_request request() const noexcept {
        return {open_request{directory ? directory.fd() : AT_FDCWD, path.c_str(), how}};
    }
    static int finish(int fd) noexcept { return fd; }
};

struct make_directory_call : plain_call {
    static constexpr const char* name = "mkdir";
    std::string path;
    unsigned mode;

    make_directory_call(std::string_view of, unsigned permissions) : path(of), mode(permissions) {}
    file_request request() const noexcept { return {make_directory_request{path.c_str(), mode}}; }
};

struct remove_call : plain_call {
    static constexpr const char* name = "unlink";
    std::string path;
    int flags;

    remove_call(std::string_view of, int how) : path(of), flags(how) {}
    file_request request() const noexcept { return {remove_request{path.c_str(), flags}}; }
};

struct rename_call : plain_call {
    static constexpr const char* name = "rename";
    std::string from;
    std::string to;

    rename_call(std::string_view old_path, std::string_view new_path)
        : from(old_path), to(new_path) {}
    file_request request() const noexcept { return {rename_request{from.c_str(), to.c_str()}}; }
};

// The kernel would look at what stands before the zero only.
template <typename Call>
future<typename Call::result> call_with_path(io_backend& backend, Call call,
                                             std::string_view path) noexcept {
    if (path.find('\0') != path.npos) {
        return make_exception_future<typename Call::result>(file_error(EINVAL, Call::name));
    }
    return make_call(backend, std::move(call));
}

future<file> open_with(const file& directory, std::string_view path, const open_how& how) noexcept {
    io_backend& backend = directory ? directory.opened()->backend() : backend_here();
    const bool appends = (how.flags & O_APPEND) != 0;
    return call_with_path(backend, open_call(directory, path, how), path)
        .then([&backend, appends](int fd) {
            auto* opened = new internal::open_file(backend, fd);
            opened->appends = appends;
            return file(*opened);
        });
}

open_how how_to_open(open_flags flags, const file_open_options& options) noexcept {
    open_how how{};
    how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
    if ((how.flags & O_CREAT) != 0) {
        how.mode = options.create_permissions;
    }
    return how;
}

// Takes the first entry off the batch.
future<> hand_entry_over(temporary_buffer<char>& batch,
                         const noncopyable_function<future<>(directory_entry)>& next) {
    // Entries are aligned as the kernel laid them out.
    const auto& raw = *reinterpret_cast<const dirent64*>(batch.get());
    directory_entry entry{raw.d_name, type_of_mode(static_cast<unsigned>(DTTOIF(raw.d_type)))};
    batch.trim_front(raw.d_reclen);
    if (entry.name == "." || entry.name == "..") {
        return make_ready_future<>();
    }
    return next(std::move(entry));
}

bool is_error(const std::exception_ptr& error, int number) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& failed) {
        return failed.code().value() == number;
    } catch (...) {
        return false;
    }
}

}  // namespace

// Of an open file. Also finds out how it may be used.
struct file::stat_call : plain_call {
    using result = stat_data;
    static constexpr const char* name = "stat";
    file_use use;
    struct statx raw {};

    explicit stat_call(const internal::file_ref& of) noexcept : use(of) {}
    file_request request() noexcept {
        return {stat_request{use->fd(), no_path, AT_EMPTY_PATH, &raw}};
    }
    stat_data finish(int) noexcept {
        const auto type = type_of_mode(raw.stx_mode);
        use->is_stream = type == directory_entry_type::fifo ||
                         type == directory_entry_type::char_device ||
                         type == directory_entry_type::socket;
        return data_of(raw);
    }
};

// Finds out whether and how there can be direct I/O.
struct file::alignment_call : stat_call {
    using result = bool;

    using stat_call::stat_call;
    bool finish(int value) noexcept {
        const auto type = stat_call::finish(value).type;
        if (type != directory_entry_type::regular && type != directory_entry_type::block_device) {
            return false;  // To a pipe, O_DIRECT is something else.
        }
        // stx_dio_mem_align and stx_dio_offset_align of statx(2), which older headers lack. Where
        // the kernel does not tell, most disks and file systems are content with this.
        struct {
            std::uint32_t memory = 4096;
            std::uint32_t offset = 4096;
        } direct;
        if ((raw.stx_mask & stat_mask & ~STATX_BASIC_STATS) != 0) {
            std::memcpy(&direct, reinterpret_cast<const char*>(&raw) + 152, sizeof direct);
        }
        if (direct.memory == 0 || direct.offset == 0) {
            return false;
        }
        use->memory_alignment = direct.memory;
        use->offset_alignment = direct.offset;
        return true;
    }
};

// Changes how an open file is used. A file system that does no direct I/O leaves it buffered.
struct file::flags_call : plain_call {
    static constexpr const char* name = "fcntl";
    file_use use;
    int set;
    int cleared;

    flags_call(const internal::file_ref& of, int to_set, int to_clear) noexcept
        : use(of), set(to_set), cleared(to_clear) {}
    file_request request() const noexcept { return {flags_request{use->fd(), set, cleared}}; }
    int checked(int value) noexcept {
        if (value == -EINVAL) {
            use->memory_alignment = 1;
            use->offset_alignment = 1;
            return 0;
        }
        if (value >= 0 && set == O_DIRECT && use->memory_alignment <= file_buffer_pool::alignment) {
            use->buffers = use->backend().file_buffers();
        }
        return value;
    }
};

// One batch of directory entries; an empty one at the end.
struct file::list_call : plain_call {
    using result = temporary_buffer<char>;
    static constexpr const char* name = "getdents";
    file_use use;
    temporary_buffer<char> buffer{std::size_t{32} * 1024};

    explicit list_call(const internal::file_ref& of) : use(of) {}
    file_request request() noexcept {
        return {list_request{use->fd(), buffer.get_write(), buffer.size()}};
    }
    temporary_buffer<char> finish(int value) noexcept {
        buffer.trim(static_cast<std::size_t>(value));
        return std::move(buffer);
    }
};

future<stat_data> file::stat() const noexcept { return start(stat_call(_file)); }

future<std::uint64_t> file::size() const noexcept {
    return stat().then([](const stat_data& data) { return data.size; });
}

future<> file::go_direct() const noexcept {
    return start(alignment_call(_file)).then([self = *this](bool can) {
        return can ? self.start(flags_call(self._file, O_DIRECT, 0)) : make_ready_future<>();
    });
}

future<> file::go_blocking() const noexcept { return start(flags_call(_file, 0, O_NONBLOCK)); }

future<> file::list_directory(noncopyable_function<future<>(directory_entry)> next) const noexcept {
    struct listing {
        file directory;
        noncopyable_function<future<>(directory_entry)> next;
        temporary_buffer<char> batch = {};
    };
    auto kept = std::make_unique<listing>(listing{*this, std::move(next)});
    listing& now = *kept;
    return repeat([&now] {
               return now.directory.start(list_call(now.directory._file))
                   .then([&now](temporary_buffer<char>&& batch) {
                       now.batch = std::move(batch);
                       const auto stop =
                           now.batch.empty() ? stop_iteration::yes : stop_iteration::no;
                       return do_until([&now] { return now.batch.empty(); },
                                       [&now] { return hand_entry_over(now.batch, now.next); })
                           .then([stop] { return stop; });
                   });
           })
        .finally([kept = std::move(kept)] {});
}

future<file> open_file(std::string_view path, open_flags flags,
                       file_open_options options) noexcept {
    return open_with(file(), path, how_to_open(flags, options)).then([](file opened) {
        auto known = opened.stat();
        return known.then([opened = std::move(opened)](const stat_data&) { return opened; });
    });
}

future<file> open_file_beneath(const file& directory, std::string_view path, open_flags flags,
                               file_open_options options) noexcept {
    open_how how = how_to_open(flags, options);
    how.flags |= O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return open_with(directory, path, how).then([](file opened) {
        auto known = opened.stat();
        return known.then([opened = std::move(opened)](const stat_data& data) {
            if (data.type != directory_entry_type::regular &&
                data.type != directory_entry_type::directory) {
                return make_exception_future<file>(file_error(ENXIO, "open"));
            }
            return opened.go_blocking().then([opened] { return opened; });
        });
    });
}

future<file> open_directory(std::string_view path) noexcept {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return open_with(file(), path, how);
}

// O_DIRECT comes after: a file system that refuses it to open(2) has made the file by then.
future<file> open_file_dma(std::string_view path, open_flags flags,
                           file_open_options options) noexcept {
    return open_with(file(), path, how_to_open(flags, options)).then([](file opened) {
        auto direct = opened.go_direct();
        return direct.then([opened = std::move(opened)] { return opened; });
    });
}

future<> make_directory(std::string_view path, unsigned permissions) noexcept {
    return call_with_path(backend_here(), make_directory_call(path, permissions), path);
}

future<> touch_directory(std::string_view path, unsigned permissions) noexcept {
    return make_directory(path, permissions).handle_exception([](std::exception_ptr error) {
        return is_error(error, EEXIST) ? make_ready_future<>()
                                       : make_exception_future<>(std::move(error));
    });
}

future<> remove_file(std::string_view path) noexcept {
    std::string kept(path);
    return call_with_path(backend_here(), remove_call(path, 0), path)
        .handle_exception([kept = std::move(kept)](std::exception_ptr error) {
            return is_error(error, EISDIR)
                       ? make_call(backend_here(), remove_call(kept, AT_REMOVEDIR))
                       : make_exception_future<>(std::move(error));
        });
}

future<> rename_file(std::string_view from, std::string_view to) noexcept {
    if (to.find('\0') != to.npos) {
        return make_exception_future<>(file_error(EINVAL, rename_call::name));
    }
    return call_with_path(backend_here(), rename_call(from, to), from);
}

future<stat_data> file_stat(std::string_view path, follow_symlink follow) noexcept {
    const int flags = follow == follow_symlink::yes ? 0 : AT_SYMLINK_NOFOLLOW;
    return call_with_path(backend_here(), path_stat_call(path, flags), path);
}

future<std::uint64_t> file_size(std::string_view path) noexcept {
    return file_stat(path).then([](const stat_data& data) { return data.size; });
}

future<bool> file_exists(std::string_view path) noexcept {
    return file_stat(path)
        .then([](const stat_data&) { return true; })
        .handle_exception([](std::exception_ptr error) {
            return is_error(error, ENOENT) || is_error(error, ENOTDIR)
                       ? make_ready_future<bool>(false)
                       : make_exception_future<bool>(std::move(error));
        });
}

}  // namespace miniss
