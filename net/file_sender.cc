#include <miniss/net/file_sender.hh>

#include <algorithm>
#include <cerrno>

#include <miniss/core/loop.hh>

namespace miniss::internal {

namespace {

// So much fits into a pipe by default.
constexpr std::size_t pipe_bytes = 64 * 1024;

// No more is sent at once, so that others get their turn.
constexpr std::size_t sent_bytes_max = 128 * 1024;

struct fill_pipe_call : plain_call {
    using result = std::size_t;
    static constexpr const char* name = "send a file";
    file_use source;
    std::uint64_t offset;
    int pipe;
    std::size_t size_bytes;

    fill_pipe_call(const file& from, std::uint64_t where, int into, std::size_t size) noexcept
        : source(from.opened()), offset(where), pipe(into), size_bytes(size) {}
    file_request request() const noexcept {
        return {fill_pipe_request{source->fd(), offset, pipe, size_bytes}};
    }
    // It has become shorter than it was promised to the peer to be.
    static int checked(int value) noexcept { return value == 0 ? -ENODATA : value; }
    static std::size_t finish(int value) noexcept { return static_cast<std::size_t>(value); }
};

}  // namespace

file_sender::file_sender(stream_socket& socket, const file& source, std::uint64_t offset,
                         std::uint64_t size_bytes)
    : _socket(socket), _source(source), _offset(offset), _left_bytes(size_bytes) {
    _socket.hold_for_file();
}

file_sender::~file_sender() { _socket.let_go_of_file(); }

future<> file_sender::run() noexcept {
    return do_until(
        [this] { return _left_bytes == 0 && _piped_bytes == 0; },
        [this] {
            if (_socket.abandoned()) {
                return make_exception_future<>(file_error(ECANCELED, fill_pipe_call::name));
            }
            if (_source.opened()->closed()) {
                return make_exception_future<>(file_error(EBADF, fill_pipe_call::name));
            }
            return _piped_bytes == 0 ? send_some() : drain_pipe();
        });
}

future<> file_sender::send_some() noexcept {
    const int sent = _socket.calls().send_file(
        _socket.fd(), _source.fd(), _offset, std::min<std::uint64_t>(_left_bytes, sent_bytes_max));
    switch (sent) {
    case -ENODATA:
        return fill_pipe();
    case -EAGAIN:
        return _socket.wait_writable();
    default:
        break;
    }
    if (sent < 0) {
        return make_exception_future<>(file_error(-sent, fill_pipe_call::name));
    }
    // Nothing: it was cut meanwhile, which the pipe finds out about.
    _offset += static_cast<std::size_t>(sent);
    _left_bytes -= static_cast<std::size_t>(sent);
    return sent == 0 ? fill_pipe() : make_ready_future<>();
}

future<> file_sender::fill_pipe() noexcept {
    try {
        if (!_pipe) {
            _pipe.emplace();
        }
    } catch (const std::system_error&) {
        return current_exception_as_future<>();
    }
    const auto size_bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(_left_bytes, pipe_bytes));
    return make_call(_source.opened()->backend(),
                     fill_pipe_call(_source, _offset, _pipe->write_end(), size_bytes))
        .then([this](std::size_t moved_bytes) {
            _offset += moved_bytes;
            _left_bytes -= moved_bytes;
            _piped_bytes = moved_bytes;
        });
}

future<> file_sender::drain_pipe() noexcept {
    const int sent = _socket.calls().send_from_pipe(_socket.fd(), _pipe->read_end(), _piped_bytes);
    if (sent == -EAGAIN) {
        return _socket.wait_writable();
    }
    if (sent <= 0) {
        return make_exception_future<>(file_error(sent == 0 ? EPIPE : -sent, fill_pipe_call::name));
    }
    _piped_bytes -= static_cast<std::size_t>(sent);
    return make_ready_future<>();
}

}  // namespace miniss::internal
