#include <miniss/core/kernel_sockets.hh>

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include <miniss/core/kernel_files.hh>

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

// While this lives, a call that moves bytes from a descriptor into a socket, for which there are no
// flags, neither waits nor raises the signal that tells of a peer that is gone: that waits, and one
// that came is dropped.
class flagless_send {
    int _fd;
    bool _was_blocking;
    sigset_t _pipe_only;
    sigset_t _before;

    void set_non_blocking(int on) noexcept { (void)::ioctl(_fd, FIONBIO, &on); }

public:
    flagless_send(int fd, bool is_blocking) noexcept : _fd(fd), _was_blocking(is_blocking) {
        if (_was_blocking) {
            set_non_blocking(1);
        }
        ::sigemptyset(&_pipe_only);
        ::sigaddset(&_pipe_only, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &_pipe_only, &_before);
    }
    flagless_send(const flagless_send&) = delete;
    flagless_send& operator=(const flagless_send&) = delete;
    ~flagless_send() {
        ::pthread_sigmask(SIG_SETMASK, &_before, nullptr);
        if (_was_blocking) {
            set_non_blocking(0);
        }
    }

    // What the call returned, or -errno. The peer may also go after some of `wanted` was sent.
    int result_of(ssize_t sent, std::size_t wanted) noexcept {
        const int error = sent < 0 ? errno : 0;
        if (error == EPIPE || (error == 0 && static_cast<std::size_t>(sent) < wanted)) {
            const timespec at_once{};
            while (::sigtimedwait(&_pipe_only, nullptr, &at_once) == -1 && errno == EINTR) {}
        }
        return error != 0 ? -error : static_cast<int>(sent);
    }
};

}  // namespace

kernel_sockets::kernel_sockets(bool non_blocking) noexcept
    : _type_flags(SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0)),
      _sockets_block(!non_blocking) {}

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

int kernel_sockets::send_file(int fd, int file, std::uint64_t offset,
                              std::size_t size_bytes) noexcept {
    if (!is_in_memory(file, offset, size_bytes)) {
        return -ENODATA;
    }
    flagless_send here(fd, _sockets_block);
    auto from = static_cast<off_t>(offset);
    return here.result_of(::sendfile(fd, file, &from, size_bytes), size_bytes);
}

int kernel_sockets::send_from_pipe(int fd, int pipe, std::size_t size_bytes) noexcept {
    flagless_send here(fd, _sockets_block);
    return here.result_of(::splice(pipe, nullptr, fd, nullptr, size_bytes, SPLICE_F_NONBLOCK),
                          size_bytes);
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
