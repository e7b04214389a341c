// One connected stream socket and what is under way on it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <miniss/core/assert.hh>
#include <miniss/core/future.hh>
#include <miniss/core/io_backend.hh>
#include <miniss/core/iostream.hh>
#include <miniss/core/task_memory.hh>

namespace miniss::internal {

// Owns the descriptor. Whoever uses the socket holds a reference; when the last one is gone, what
// is under way is cancelled, and once the kernel has answered, the descriptor is closed and the
// object deletes itself. Until then buffers that were given to the kernel stay here.
//
// Shard: belongs to the one that made it.
class stream_socket {
    // Receives as long as there is room. The stream's end or error stands behind the last piece.
    class receiver final : public io_completion {
        stream_socket& _socket;
        std::vector<temporary_buffer<char>> _pieces;
        std::size_t _pieces_cost = 0;
        std::optional<promise<temporary_buffer<char>>> _reader;
        bool _armed = false;
        bool _cancelling = false;
        std::optional<int> _end;  // 0 or the errno.

    public:
        // A reader that is this far behind stops the receiving until it has caught up.
        static constexpr std::size_t unread_cost_max = 64 * 1024;

        explicit receiver(stream_socket& socket) noexcept : _socket(socket) {}
        future<temporary_buffer<char>> get();
        void end(int error) noexcept;
        bool interrupt() noexcept;
        void cancel() noexcept;
        bool armed() const noexcept { return _armed; }
        void complete(io_result&& result) noexcept override;

    private:
        static std::size_t cost_of(const temporary_buffer<char>& piece) noexcept;
        void arm() noexcept;
        promise<temporary_buffer<char>> take_reader() noexcept;
        void answer_reader() noexcept;
    };

    // Sends one list of pieces at a time.
    class sender final : public io_completion {
        // Who waits, and for what. Not there in between, so that idle connections are small.
        struct work : in_task_memory {
            promise<> writer;
            gather_list pieces;
            std::array<iovec, 2> few;
            std::vector<iovec> many;  // If they are more than that.
            msghdr message{};
            std::size_t bytes = 0;
            bool is_for_room = false;

            work() noexcept {}  // So that making one does not clear all of it.
        };

        stream_socket& _socket;
        std::unique_ptr<work> _work;
        bool _ended = false;

    public:
        explicit sender(stream_socket& socket) noexcept : _socket(socket) {}
        future<> put(gather_list&& pieces);
        future<> wait_writable();
        void end() noexcept;
        void cancel() noexcept;
        bool armed() const noexcept { return _work != nullptr; }
        void complete(io_result&& result) noexcept override;
    };

    io_backend& _backend;
    int _fd;
    unsigned _reference_count = 0;
    bool _held_for_file = false;
    receiver _receiver{*this};
    sender _sender{*this};

public:
    // Takes over `fd`, a socket of the backend of this shard.
    stream_socket(io_backend& backend, int fd) noexcept : _backend(backend), _fd(fd) {}
    stream_socket(const stream_socket&) = delete;
    stream_socket& operator=(const stream_socket&) = delete;

    void add_reference() noexcept { ++_reference_count; }
    void drop_reference() noexcept;

    // The next bytes; an empty buffer at the end. One call at a time.
    // Errors: std::system_error ECONNRESET, ETIMEDOUT; ECONNABORTED after end_input().
    future<temporary_buffer<char>> get() { return _receiver.get(); }

    // Sends all pieces, and keeps them until then. One call at a time.
    // Errors: std::system_error EPIPE, ECONNRESET, ETIMEDOUT; how much was sent is then unknown.
    future<> put(gather_list&& pieces) { return _sender.put(std::move(pieces)); }

    // Waits until the socket takes more. Fails, and is called, like put().
    future<> wait_writable() { return _sender.wait_writable(); }

    // While a file is sent, the socket stays, even if nobody has a reference any more: the sender
    // of the file should then give up. Nothing else may be sent.
    void hold_for_file() noexcept {
        MINISS_ASSERT(!_held_for_file && !_sender.armed());
        _held_for_file = true;
    }
    void let_go_of_file() noexcept {
        _held_for_file = false;
        close_when_idle();
    }
    bool abandoned() const noexcept { return _reference_count == 0; }

    // Receives no more; a get() that waits fails.
    void end_input() noexcept;
    // A get() that waits fails with ECANCELED; the next one goes on where it was. True if one
    // waited.
    bool interrupt_input() noexcept { return _receiver.interrupt(); }
    // Tells the peer that nothing more will come. A put() that waits fails with EPIPE.
    void end_output() noexcept;

    // Gives the descriptor away, and forgets it. Nothing may have been received or sent, and one
    // reference be left.
    int release() noexcept {
        MINISS_ASSERT(_reference_count == 1 && !_receiver.armed() && !_sender.armed());
        return std::exchange(_fd, -1);
    }

    socket_calls& calls() noexcept { return _backend.sockets(); }
    int fd() const noexcept { return _fd; }

private:
    ~stream_socket() = default;
    void close_when_idle() noexcept;
};

// A counted reference.
class stream_socket_ref {
    stream_socket* _socket = nullptr;

public:
    stream_socket_ref() noexcept = default;
    explicit stream_socket_ref(stream_socket& socket) noexcept : _socket(&socket) {
        socket.add_reference();
    }
    stream_socket_ref(const stream_socket_ref& other) noexcept : _socket(other._socket) {
        if (_socket != nullptr) {
            _socket->add_reference();
        }
    }
    stream_socket_ref(stream_socket_ref&& other) noexcept
        : _socket(std::exchange(other._socket, nullptr)) {}
    stream_socket_ref& operator=(stream_socket_ref other) noexcept {
        std::swap(_socket, other._socket);
        return *this;
    }
    ~stream_socket_ref() {
        if (_socket != nullptr) {
            _socket->drop_reference();
        }
    }
    stream_socket* operator->() const noexcept { return _socket; }
    explicit operator bool() const noexcept { return _socket != nullptr; }
};

}  // namespace miniss::internal
