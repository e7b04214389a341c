// Sends a part of a file over a stream socket, without its bytes passing through our memory.
#pragma once

#include <optional>

#include <miniss/core/file.hh>
#include <miniss/core/pipe_pair.hh>
#include <miniss/net/stream_socket.hh>

namespace miniss::internal {

// What is in memory the kernel sends from where it is. What is not, it moves into a pipe, which
// waits for the disk but holds nobody up, and from there into the socket. Either way that may have
// to wait for the peer.
//
// Lifetime: until the future of run() is ready.
class file_sender {
    stream_socket& _socket;
    file _source;
    std::uint64_t _offset;
    std::uint64_t _left_bytes;
    std::optional<pipe_pair> _pipe;  // Once it was needed.
    std::size_t _piped_bytes = 0;

public:
    // Holds the socket, see stream_socket::hold_for_file().
    file_sender(stream_socket& socket, const file& source, std::uint64_t offset,
                std::uint64_t size_bytes);
    file_sender(const file_sender&) = delete;
    file_sender& operator=(const file_sender&) = delete;
    ~file_sender();

    future<> run() noexcept;
    // Nothing more can be sent.
    void end_output() noexcept { _socket.end_output(); }

private:
    future<> send_some() noexcept;
    future<> fill_pipe() noexcept;
    future<> drain_pipe() noexcept;
};

}  // namespace miniss::internal
