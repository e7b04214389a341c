// For tests that send bytes from one end of a connection to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <miniss/core/iostream.hh>
#include <miniss/core/loop.hh>
#include <miniss/net/socket.hh>

namespace miniss {

// Bytes among which any loss, repetition or exchange shows.
inline std::string distinct_bytes(std::size_t size, std::uint32_t seed = 1) {
    std::string bytes(size, '\0');
    std::uint32_t state = seed * 2654435761U + 1;
    for (char& each : bytes) {
        state = state * 1664525U + 1013904223U;
        each = static_cast<char>(state >> 24);
    }
    return bytes;
}

// Takes over a connected descriptor of this shard's backend.
inline connected_socket adopt_socket(io_backend& backend, int fd) {
    return connected_socket(internal::stream_socket_ref(*new internal::stream_socket(backend, fd)));
}

// Everything up to the end of the stream. Lifetime: keep the stream until the future is ready.
inline future<std::string> read_to_end(input_stream<char>& stream) {
    auto all = std::make_unique<std::string>();
    auto& into = *all;
    return repeat([&stream, &into] {
               return stream.read().then([&into](temporary_buffer<char>&& piece) {
                   into.append(piece.view());
                   return piece.empty() ? stop_iteration::yes : stop_iteration::no;
               });
           })
        .then([all = std::move(all)] { return std::move(*all); });
}

// Writes `bytes` in pieces of up to `piece_bytes`, flushing each, then ends the stream.
inline future<> write_all(output_stream<char>& stream, std::string bytes, std::size_t piece_bytes) {
    return repeat([&stream, bytes = std::move(bytes), piece_bytes, at = std::size_t(0)]() mutable {
               const auto piece = std::string_view(bytes).substr(at, piece_bytes);
               at += piece.size();
               const auto stop = at == bytes.size() ? stop_iteration::yes : stop_iteration::no;
               return stream.write(piece).then([&stream] { return stream.flush(); }).then([stop] {
                   return stop;
               });
           })
        .finally([&stream] { return stream.close(); });
}

}  // namespace miniss
