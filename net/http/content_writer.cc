// Puts streamed content into its framing.
#include <miniss/net/http/content_writer.hh>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>

#include <miniss/core/file.hh>
#include <miniss/core/loop.hh>
#include <miniss/net/http/content_coding.hh>
#include <miniss/net/http/field_check.hh>

namespace miniss::http {
namespace {

// A text that lives for ever: nobody writes to a buffer that is to be sent.
temporary_buffer<char> constant_piece(std::string_view text) {
    return temporary_buffer<char>(const_cast<char*>(text.data()), text.size(), nullptr);
}

// chunk-size CRLF (RFC 9112 7.1).
temporary_buffer<char> chunk_head(std::uint64_t size_bytes) {
    std::array<char, 18> text;
    char* end = std::to_chars(text.data(), text.data() + 16, size_bytes, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    return temporary_buffer<char>(text.data(), static_cast<std::size_t>(end - text.data()));
}

std::uint64_t size_of(const gather_list& pieces) noexcept {
    std::uint64_t size_bytes = 0;
    for (const auto& piece : pieces) {
        size_bytes += piece.size();
    }
    return size_bytes;
}

}  // namespace

namespace internal {

class content_sink final : public data_sink {
    content_carrier& _connection;
    content_encoder* _encoder;
    content_framing _framing;
    std::uint64_t _left;  // Of the announced length.
    bool _is_last = false;

public:
    std::string trailer_lines;
    std::uint64_t sent_bytes = 0;

    content_sink(content_carrier& connection, content_framing framing, std::uint64_t length,
                 content_encoder* encoder)
        : _connection(connection), _encoder(encoder), _framing(framing), _left(length) {}

    // What comes now is the end, and need not leave before what follows.
    void begin_last() noexcept { _is_last = true; }

    future<> put(gather_list&& pieces) override {
        if (_encoder == nullptr) {
            return carry(std::move(pieces));
        }
        std::string encoded;
        for (const auto& piece : pieces) {
            _encoder->encode(piece.view(), encoded);
        }
        _encoder->flush(encoded);
        return carry_encoded(std::move(encoded));
    }

    // Nothing if what is sent is not just the bytes of the file, or cannot be sent in this way.
    std::optional<future<>> send_file(const file& source, std::uint64_t offset,
                                      std::size_t size_bytes) {
        if (_encoder != nullptr || _framing == content_framing::chunked) {
            return std::nullopt;
        }
        if (!fits(size_bytes)) {
            return too_long();
        }
        auto sent = _connection.carry_file(source, offset, size_bytes);
        if (sent) {
            count(size_bytes);
        }
        return sent;
    }

    // Nothing more will come.
    future<> close() override {
        if (_framing == content_framing::length && _left != 0) {
            return make_exception_future<>(
                std::length_error("content is shorter than its announced length"));
        }
        if (_encoder == nullptr) {
            return carry_end();
        }
        std::string encoded;
        _encoder->finish(encoded);
        return carry_encoded(std::move(encoded)).then([this] { return carry_end(); });
    }

private:
    bool fits(std::uint64_t size_bytes) const noexcept {
        return _framing != content_framing::length || size_bytes <= _left;
    }
    static future<> too_long() {
        return make_exception_future<>(
            std::length_error("content is longer than its announced length"));
    }
    void count(std::uint64_t size_bytes) noexcept {
        _left -= _framing == content_framing::length ? size_bytes : 0;
        sent_bytes += size_bytes;
    }

    // An empty chunk would be the end.
    future<> carry_encoded(std::string encoded) {
        if (encoded.empty()) {
            return make_ready_future<>();
        }
        gather_list pieces;
        pieces.push_back(make_buffer(std::move(encoded)));
        return carry(std::move(pieces));
    }

    // All that is here becomes one chunk.
    future<> carry(gather_list&& pieces) {
        const std::uint64_t size_bytes = size_of(pieces);
        if (!fits(size_bytes)) {
            return too_long();
        }
        if (_framing == content_framing::chunked) {
            pieces.insert(pieces.begin(), chunk_head(size_bytes));
            pieces.push_back(constant_piece("\r\n"));
        }
        count(size_bytes);
        return _connection.carry(std::move(pieces), !_is_last);
    }

    future<> carry_end() {
        if (_framing != content_framing::chunked) {
            return make_ready_future<>();
        }
        gather_list end;
        end.push_back(make_buffer("0\r\n" + std::move(trailer_lines) + "\r\n"));
        return _connection.carry(std::move(end), false);
    }
};

}  // namespace internal

content_writer::content_writer(internal::content_sink* framed)
    : output_stream<char>(std::unique_ptr<data_sink>(framed)), _framed(framed) {}

content_writer::content_writer(content_carrier& connection, content_framing framing,
                               std::uint64_t length, content_encoder* encoder)
    : content_writer(new internal::content_sink(connection, framing, length, encoder)) {}

std::uint64_t content_writer::sent_bytes() const noexcept { return _framed->sent_bytes; }

void content_writer::add_trailer(std::string_view name, std::string_view value) {
    internal::append_checked_field(_framed->trailer_lines, name, value);
}

// In pieces, so that the peer has its time for each of them.
future<> content_writer::send_file(const file& source, std::uint64_t offset,
                                   std::uint64_t size_bytes) {
    return flush().then([this, &source, offset, size_bytes] {
        return repeat([this, &source, offset, left_bytes = size_bytes]() mutable {
            if (left_bytes == 0) {
                return make_ready_future<stop_iteration>(stop_iteration::yes);
            }
            const std::uint64_t from = offset;
            const auto piece_bytes =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_bytes, unsent_bytes_max));
            offset += piece_bytes;
            left_bytes -= piece_bytes;
            auto sent = _framed->send_file(source, from, piece_bytes);
            return (sent ? std::move(*sent) : copy_file(source, from, piece_bytes)).then([] {
                return stop_iteration::no;
            });
        });
    });
}

future<> content_writer::copy_file(const file& source, std::uint64_t offset,
                                   std::size_t size_bytes) {
    return source.dma_read(offset, size_bytes)
        .then([this, size_bytes](temporary_buffer<char>&& piece) {
            const bool is_whole = piece.size() == size_bytes;
            return write(std::move(piece)).then([is_whole] {
                if (!is_whole) {
                    throw std::system_error(ENODATA, std::system_category(), "send a file");
                }
            });
        });
}

future<> content_writer::finish() {
    _framed->begin_last();
    return flush().then([this] { return _framed->close(); });
}

}  // namespace miniss::http
