// Where a handler writes content that is sent while it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <miniss/core/iostream.hh>
#include <miniss/core/noncopyable_function.hh>

namespace miniss {
class file;
}

namespace miniss::http {

class content_encoder;

// How the end of streamed content is marked.
enum class content_framing : std::uint8_t {
    length,
    chunked,
    close,  // By the end of the connection: for HTTP/1.0.
};

// What a content_writer sends over: the connection. One call at a time.
class content_carrier {
public:
    // Takes all pieces, and sends them at once if `now`, else with what follows.
    virtual future<> carry(gather_list&& pieces, bool now) = 0;

    // Sends a part of a file at once, from where it is. Nothing if that is not possible here: then
    // its bytes have to be read, and carried.
    // Lifetime: `source` must stay until the future is ready.
    virtual std::optional<future<>> carry_file(const file& /*source*/, std::uint64_t /*offset*/,
                                               std::size_t /*size_bytes*/) {
        return std::nullopt;
    }

protected:
    ~content_carrier() = default;
};

namespace internal {
class content_sink;
}

// An output stream that may end with trailer fields. Small writes are gathered; a future that is
// not ready means that the peer reads slowly: wait for it. flush() sends what there is at once.
//
// Lifetime: valid until the future of the function that it was given to is ready.
// Errors:   std::system_error EPIPE, ECONNRESET, ETIMEDOUT: nobody reads any more.
//           std::length_error: more than the length that the reply announced.
class content_writer : public output_stream<char> {
    internal::content_sink* _framed;  // Owned by the stream.

    explicit content_writer(internal::content_sink* framed);

public:
    // `length` counts only with that framing. With an encoder, what is written goes through it.
    content_writer(content_carrier& connection, content_framing framing, std::uint64_t length,
                   content_encoder* encoder = nullptr);

    // Sends a field behind the content, if that goes out in chunks; else it is dropped, so it must
    // be dispensable (RFC 9110 6.5.1). Throws std::invalid_argument as reply::add_header().
    void add_trailer(std::string_view name, std::string_view value);

    // Sends a part of a file behind what was written so far. Its bytes do not pass through the
    // memory of the program, unless they have to be encoded or put into chunks, or the connection
    // is more than a bare socket.
    // Lifetime: `source` must stay until the future is ready.
    // Errors:   those of connected_socket::send_file().
    future<> send_file(const file& source, std::uint64_t offset, std::uint64_t size_bytes);

    // How much content has been handed over to be sent, encoded, without its framing.
    std::uint64_t sent_bytes() const noexcept;

    // For the server: hands over the rest, and marks the end.
    // Errors: std::length_error: less than the length that the reply announced.
    future<> finish();

private:
    future<> copy_file(const file& source, std::uint64_t offset, std::size_t size_bytes);
};

// Writes content. The content ends when the future is ready; if it fails, the connection is cut
// off, so that the peer sees that the content is not whole.
using content_function = noncopyable_function<future<>(content_writer&)>;

}  // namespace miniss::http
