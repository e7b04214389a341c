#include <miniss/core/kernel_sockets.hh>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

namespace miniss {

namespace {

int result_or_errno(int result) noexcept { return result < 0 ? -errno : result; }

// True for the file of a Unix socket on which nobody listens any more.
bool is_left_over(const sockaddr* address, socklen_t address_bytes) noexcept {
    if (address->sa_family != AF_UNIX) {
        return false;
    }
    // The kernel refuses to connect to files of other kinds too, and those are not ours to remove.
    struct stat file {};
    if (::lstat(reinterpret_cast<const sockaddr_un*>(address)->sun_path, &file) < 0 ||
        !S_ISSOCK(file.st_mode)) {
        return false;
    }
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return false;
    }
    const bool refused = ::connect(probe, address, address_bytes) < 0 && errno == ECONNREFUSED;
    ::close(probe);
    return refused;
}

// splice() has no flag against the signal that tells of a peer that is gone. While this lives it
// waits; if one came, it is dropped.
class no_sigpipe {
    sigset_t _pipe_only;
    sigset_t _before;

public:
    no_sigpipe() noexcept {
        ::sigemptyset(&_pipe_only);
        ::sigaddset(&_pipe_only, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &_pipe_only, &_before);
    }
    no_sigpipe(const no_sigpipe&) = delete;
    no_sigpipe& operator=(const no_sigpipe&) = delete;
    ~no_sigpipe() {
        const int error = errno;
        const timespec at_once{};
        while (::sigtimedwait(&_pipe_only, nullptr, &at_once) == -1 && errno == EINTR) {}
        ::pthread_sigmask(SIG_SETMASK, &_before, nullptr);
        errno = error;
    }
};

}  // namespace

kernel_sockets::kernel_sockets(bool non_blocking) noexcept
    : _type_flags(SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0)) {}

int kernel_sockets::open(int family, int type) noexcept {
    return result_or_errno(::socket(family, type | _type_flags, 0));
}

int kernel_sockets::bind(int fd, const sockaddr* address, socklen_t address_bytes) noexcept {
    if (::bind(fd, address, address_bytes) == 0) {
        return 0;
    }
    const int error = errno;
    if (error == EADDRINUSE && is_left_over(address, address_bytes)) {
        ::unlink(reinterpret_cast<const sockaddr_un*>(address)->sun_path);
        return result_or_errno(::bind(fd, address, address_bytes));
    }
    return -error;
}

int kernel_sockets::listen(int fd, int backlog) noexcept {
    return result_or_errno(::listen(fd, backlog));
}

int kernel_sockets::accept(int fd) noexcept {
    // Only the last look at a backlog comes here, so the listener may stay non-blocking.
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    return result_or_errno(::accept4(fd, nullptr, nullptr, _type_flags));
}

int kernel_sockets::set_option(int fd, int level, int name, int value) noexcept {
    return result_or_errno(::setsockopt(fd, level, name, &value, sizeof value));
}

int kernel_sockets::shutdown(int fd, int how) noexcept {
    return result_or_errno(::shutdown(fd, how));
}

int kernel_sockets::local_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept {
    return result_or_errno(::getsockname(fd, address, address_bytes));
}

int kernel_sockets::remote_address(int fd, sockaddr* address, socklen_t* address_bytes) noexcept {
    return result_or_errno(::getpeername(fd, address, address_bytes));
}

int kernel_sockets::send_datagrams(int fd, std::span<const outgoing_datagram> out) noexcept {
    const std::size_t count = std::min(out.size(), datagram_batch_max);
    std::array<mmsghdr, datagram_batch_max> messages{};
    std::array<iovec, datagram_batch_max> pieces;
    for (std::size_t i = 0; i < count; ++i) {
        msghdr& message = messages[i].msg_hdr;
        pieces[i] = {const_cast<char*>(out[i].data.data()), out[i].data.size()};
        message.msg_name = const_cast<sockaddr*>(out[i].to);
        message.msg_namelen = out[i].to_bytes;
        message.msg_iov = &pieces[i];
        message.msg_iovlen = 1;
    }
    return result_or_errno(
        ::sendmmsg(fd, messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL));
}

int kernel_sockets::receive_datagrams(int fd, std::span<received_datagram> into) noexcept {
    const std::size_t count = std::min(into.size(), datagram_batch_max);
    std::array<mmsghdr, datagram_batch_max> messages{};
    std::array<iovec, datagram_batch_max> pieces;
    try {
        if (_scratch == nullptr) {  // Pages that no datagram ever reaches cost nothing.
            _scratch.reset(new char[datagram_batch_max * datagram_bytes_max]);
        }
        for (std::size_t i = 0; i < count; ++i) {
            msghdr& message = messages[i].msg_hdr;
            pieces[i] = {_scratch.get() + i * datagram_bytes_max, datagram_bytes_max};
            message.msg_name = &into[i].from;
            message.msg_namelen = sizeof into[i].from;
            message.msg_iov = &pieces[i];
            message.msg_iovlen = 1;
        }
        const int received =
            ::recvmmsg(fd, messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
        for (int i = 0; i < received; ++i) {
            const auto each = static_cast<std::size_t>(i);
            const mmsghdr& message = messages[each];
            into[each].from_bytes = message.msg_hdr.msg_namelen;
            into[each].data = temporary_buffer<char>(
                static_cast<const char*>(pieces[each].iov_base), message.msg_len);
            into[each].truncated = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
        }
        return result_or_errno(received);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
}

// Only a non-blocking socket keeps splice() from waiting.
int kernel_sockets::send_from_pipe(int fd, int pipe, std::size_t size_bytes) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    const bool blocks = (flags & O_NONBLOCK) == 0;
    if (flags < 0 || (blocks && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
        return -errno;
    }
    const no_sigpipe here;
    const auto sent = ::splice(pipe, nullptr, fd, nullptr, size_bytes, SPLICE_F_NONBLOCK);
    const int result = sent < 0 ? -errno : static_cast<int>(sent);
    if (blocks) {
        (void)::fcntl(fd, F_SETFL, flags);
    }
    return result;
}

// Nothing can be done about an error, and the descriptor is gone even then (close(2)).
void kernel_sockets::close(int fd) noexcept { (void)::close(fd); }

system_clock::time_point kernel_time_of_day() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return system_clock::time_point(
        std::chrono::duration_cast<system_clock::duration>(std::chrono::seconds(now.tv_sec)) +
        std::chrono::duration_cast<system_clock::duration>(std::chrono::nanoseconds(now.tv_nsec)));
}

}  // namespace miniss
