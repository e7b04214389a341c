// The other end of a connection, as a plain socket: none of our own code but its address.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <miniss/net/socket_address.hh>
#include <miniss/tests/catch.hh>

namespace miniss {

// Never waits, but for the handshake of connect_to(), which the kernel does by itself.
class raw_peer {
    int _fd = -1;
    std::string _received;
    bool _ended = false;
    int _error = 0;

public:
    raw_peer() noexcept = default;
    explicit raw_peer(int fd) noexcept : _fd(fd) {
        ::fcntl(_fd, F_SETFL, ::fcntl(_fd, F_GETFL) | O_NONBLOCK);
    }
    raw_peer(raw_peer&& other) noexcept
        : _fd(std::exchange(other._fd, -1)),
          _received(std::move(other._received)),
          _ended(other._ended),
          _error(other._error) {}
    raw_peer& operator=(raw_peer&& other) noexcept {
        close();
        _fd = std::exchange(other._fd, -1);
        _received = std::move(other._received);
        _ended = other._ended;
        _error = other._error;
        return *this;
    }
    ~raw_peer() { close(); }

    // A small receive buffer, if not 0, makes the other side wait early. Gives -errno as error()
    // where it cannot connect.
    static raw_peer connect_to(const socket_address& remote, int receive_buffer_bytes = 0) {
        const int fd = ::socket(remote.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(fd >= 0);
        if (receive_buffer_bytes != 0) {
            ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                         sizeof receive_buffer_bytes);
        }
        const int at_once = 1;  // What was sent leaves, however little. For TCP.
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        const int failed = ::connect(fd, remote.data(), remote.size()) < 0 ? errno : 0;
        raw_peer peer(fd);
        peer._error = failed;
        return peer;
    }

    int fd() const noexcept { return _fd; }

    // For what fits into the buffers of the kernel.
    void send(std::string_view bytes) { REQUIRE(try_send(bytes) == bytes.size()); }

    // How much of it was taken.
    std::size_t try_send(std::string_view bytes) {
        std::size_t sent_bytes = 0;
        while (sent_bytes < bytes.size()) {
            const auto sent =
                ::send(_fd, bytes.data() + sent_bytes, bytes.size() - sent_bytes, MSG_NOSIGNAL);
            if (sent < 0) {
                _error = errno == EAGAIN ? _error : errno;
                break;
            }
            sent_bytes += static_cast<std::size_t>(sent);
        }
        return sent_bytes;
    }

    // Everything so far.
    const std::string& received() {
        char piece[65536];
        while (!_ended && _error == 0 && take(piece, sizeof piece) > 0) {}
        return _received;
    }

    void forget_received() noexcept { std::string().swap(_received); }

    // At most one piece of what is there.
    std::size_t take(char* piece, std::size_t size_bytes) {
        const auto count = ::recv(_fd, piece, size_bytes, 0);
        if (count > 0) {
            _received.append(piece, static_cast<std::size_t>(count));
            return static_cast<std::size_t>(count);
        }
        _ended = count == 0;
        _error = count < 0 && errno != EAGAIN ? errno : _error;
        return 0;
    }

    // The other side has finished sending; error() is then not set.
    bool ended() {
        received();
        return _ended;
    }
    // The errno of a broken connection, or 0.
    int error() {
        received();
        return _error;
    }
    // Closed by the other side in whatever way.
    bool gone() { return ended() || error() != 0; }

    void finish() noexcept { ::shutdown(_fd, SHUT_WR); }
    void reset() noexcept {
        const linger at_once{1, 0};
        ::setsockopt(_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }
    void close() noexcept {
        if (_fd >= 0) {
            ::close(std::exchange(_fd, -1));
        }
    }
};

// A connected pair of Unix sockets.
inline std::pair<int, int> make_socketpair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return {ends[0], ends[1]};
}

}  // namespace miniss
