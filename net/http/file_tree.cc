#include <miniss/net/http/file_tree.hh>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace miniss::http {
namespace {

constexpr int reading = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

int take(int fd, open_file& to) noexcept {
    if (fd < 0) {
        return -errno;
    }
    to = open_file(fd);
    return 0;
}

}  // namespace

open_file::open_file(open_file&& other) noexcept : _fd(std::exchange(other._fd, -1)) {}

open_file& open_file::operator=(open_file&& other) noexcept {
    open_file taken(std::move(other));
    std::swap(_fd, taken._fd);
    return *this;
}

open_file::~open_file() {
    if (_fd >= 0) {
        ::close(_fd);
    }
}

int open_file::look(facts& to) const noexcept {
    struct stat found;
    if (::fstat(_fd, &found) < 0) {
        return -errno;
    }
    to.what = S_ISREG(found.st_mode)   ? kind::regular
              : S_ISDIR(found.st_mode) ? kind::directory
                                       : kind::other;
    to.size_bytes = static_cast<std::uint64_t>(found.st_size);
    to.inode = found.st_ino;
    to.modified_seconds = found.st_mtim.tv_sec;
    to.modified_nanoseconds = found.st_mtim.tv_nsec;
    return 0;
}

std::ptrdiff_t open_file::read(char* to, std::size_t size_bytes, std::uint64_t offset,
                               patience how) const noexcept {
    const iovec piece{to, size_bytes};
    const auto count = ::preadv2(_fd, &piece, 1, static_cast<off_t>(offset),
                                 how == patience::none ? RWF_NOWAIT : 0);
    if (count >= 0) {
        return count;
    }
    // Not every file system can tell whether it would wait.
    return how == patience::none && errno == EOPNOTSUPP ? -EAGAIN : -errno;
}

file_tree::file_tree(const std::string& directory)
    : _root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (_root < 0) {
        throw std::system_error(errno, std::system_category(), directory);
    }
}

file_tree::~file_tree() { ::close(_root); }

int file_tree::open(const std::string& path, patience how, open_file& to) const noexcept {
    open_how wanted{};
    wanted.flags = reading;
    wanted.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    if (how == patience::none) {
        wanted.resolve |= RESOLVE_CACHED;
    }
    const auto fd = ::syscall(SYS_openat2, _root, path.c_str(), &wanted, sizeof wanted);
    const int result = take(static_cast<int>(fd), to);
    switch (result) {
    case -EINVAL:  // No RESOLVE_CACHED before Linux 5.12.
    case -ENOSYS:  // No openat2() before Linux 5.6.
    case -EPERM:   // Forbidden by the profile of a container. Or else it fails the other way too.
        return how == patience::none ? -EAGAIN : open_by_steps(path, to);
    case -EAGAIN:  // Without RESOLVE_CACHED: somebody renames directories meanwhile.
        return how == patience::none ? -EAGAIN : open_by_steps(path, to);
    default:
        return result;
    }
}

int file_tree::open_by_steps(const std::string& path, open_file& to) const {
    std::string_view rest = path;
    open_file above;
    int directory = _root;
    for (;;) {
        const std::size_t slash = rest.find('/');
        const std::string step(rest.substr(0, slash));
        if (step == ".." || (step.empty() && directory == _root)) {
            return -EXDEV;
        }
        const bool is_last = slash == std::string_view::npos;
        if (is_last) {
            return take(
                ::openat(directory, step.empty() ? "." : step.c_str(), reading | O_NOFOLLOW), to);
        }
        const int next =
            ::openat(directory, step.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            return -errno;
        }
        above = open_file(next);
        directory = next;
        rest.remove_prefix(slash + 1);
    }
}

}  // namespace miniss::http
