#include <miniss/core/file_stream.hh>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>

#include <miniss/core/assert.hh>
#include <miniss/core/do_with.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/semaphore.hh>

namespace miniss {

namespace {

class file_source final : public data_source {
    file _file;
    std::uint64_t _offset;
    std::uint64_t _left_bytes;
    std::size_t _buffer_bytes;
    unsigned _read_ahead;
    bool _second = false;
    bool _ended = false;
    std::deque<future<temporary_buffer<char>>> _reads;  // Under way, in order.

public:
    file_source(file source, std::uint64_t offset, std::uint64_t size_bytes,
                const file_input_stream_options& options)
        : _file(std::move(source)),
          _offset(offset),
          _left_bytes(size_bytes),
          _buffer_bytes(options.buffer_size),
          _read_ahead(_file.opened()->is_stream ? 0 : options.read_ahead) {
        MINISS_ASSERT(_buffer_bytes != 0 && _buffer_bytes % _file.disk_read_dma_alignment() == 0);
    }

    future<temporary_buffer<char>> get() override {
        const std::size_t wanted_count = 1 + (std::exchange(_second, true) ? _read_ahead : 0);
        while (_reads.size() < wanted_count && _left_bytes != 0 && !_ended) {
            _reads.push_back(read_next());
        }
        if (_reads.empty()) {
            return make_ready_future<temporary_buffer<char>>();
        }
        auto first = std::move(_reads.front());
        _reads.pop_front();
        return first;
    }

    future<> close() override {
        _left_bytes = 0;
        return do_until([this] { return _reads.empty(); },
                        [this] {
                            auto last = std::move(_reads.front());
                            _reads.pop_front();
                            return last.then_wrapped([](future<temporary_buffer<char>> ended) {
                                ended.ignore_ready_future();
                            });
                        });
    }

private:
    // The first one ends where the others are to begin.
    future<temporary_buffer<char>> read_next() {
        const auto size_bytes = static_cast<std::size_t>(
            std::min<std::uint64_t>(_left_bytes, _buffer_bytes - _offset % _buffer_bytes));
        auto read = _file.dma_read(_offset, size_bytes);
        if (_file.opened()->is_stream) {  // It ends with a read that gives nothing.
            return read.then([this](temporary_buffer<char>&& bytes) {
                _left_bytes -= bytes.size();
                return std::move(bytes);
            });
        }
        _left_bytes -= size_bytes;
        _offset += size_bytes;
        return read.then([this, size_bytes](temporary_buffer<char>&& bytes) {
            _ended |= bytes.size() < size_bytes;
            return std::move(bytes);
        });
    }
};

// Whether what is written first stands first, so that only one write may be under way.
bool is_in_order(const internal::open_file& target) noexcept {
    return target.is_stream || target.appends;
}

// Keeps the bytes that do not fill a buffer yet.
class file_sink final : public data_sink {
    file _file;
    std::uint64_t _offset = 0;  // Of what is in the buffer.
    std::size_t _buffer_bytes;
    temporary_buffer<char> _buffer;
    std::size_t _used_bytes = 0;
    unsigned _write_max;
    semaphore _free_writes;
    std::exception_ptr _error;

public:
    file_sink(file target, const file_output_stream_options& options)
        : _file(std::move(target)),
          _buffer_bytes(options.buffer_size),
          _write_max(is_in_order(*_file.opened()) ? 1 : 1 + options.write_behind),
          _free_writes(_write_max) {
        MINISS_ASSERT(_buffer_bytes != 0 && _buffer_bytes % _file.disk_write_dma_alignment() == 0);
    }

    future<> put(gather_list&& pieces) override {
        return do_with(std::move(pieces), std::size_t(0), [this](auto& all, std::size_t& next) {
            return do_until([&all, &next] { return next == all.size(); },
                            [this, &all, &next] {
                                return append(all[next]).then(
                                    [&all, &next] { next += all[next].empty() ? 1u : 0u; });
                            })
                .then([this] { return first_error(); });
        });
    }

    future<> flush(gather_list&& pieces) override {
        return put(std::move(pieces))
            .then([this] { return write_rest(); })
            .then([this] { return wait_for_writes(); })
            .then([this] {
                return _file.opened()->is_stream ? make_ready_future<>() : _file.flush();
            })
            .handle_exception([this](std::exception_ptr error) {
                note(error);
                return make_exception_future<>(std::move(error));
            });
    }

    future<> close() override {
        // Errors of writes came with the flush() that went before.
        return _free_writes.wait(_write_max).then([this] { return _file.close(); });
    }

private:
    void note(const std::exception_ptr& error) noexcept {
        if (_error == nullptr) {
            _error = error;
        }
    }
    future<> first_error() const noexcept {
        return _error == nullptr ? make_ready_future<>() : make_exception_future<>(_error);
    }

    // Takes bytes off the front of `piece`, all that fit into the buffer; writes a buffer that is
    // full.
    future<> append(temporary_buffer<char>& piece) {
        if (_error != nullptr) {
            return first_error();
        }
        const bool buffered = _file.disk_write_dma_alignment() == 1;
        if (buffered && _used_bytes == 0 && piece.size() >= _buffer_bytes) {
            return write(std::move(piece));
        }
        if (_buffer.empty() && !piece.empty()) {
            _buffer = _file.make_buffer(_buffer_bytes);
        }
        const std::size_t fitting_bytes = std::min(piece.size(), _buffer_bytes - _used_bytes);
        if (fitting_bytes != 0) {
            std::memcpy(_buffer.get_write() + _used_bytes, piece.get(), fitting_bytes);
        }
        _used_bytes += fitting_bytes;
        piece.trim_front(fitting_bytes);
        if (_used_bytes < _buffer_bytes) {
            return make_ready_future<>();
        }
        _used_bytes = 0;
        return write(std::move(_buffer));
    }

    // Starts to write at the place where the last one ended. Ready when another may be started.
    future<> write(temporary_buffer<char> bytes) {
        const std::uint64_t offset = _offset;
        _offset += bytes.size();
        return _free_writes.wait().then([this, offset, bytes = std::move(bytes)]() mutable {
            (void)_file.dma_write(offset, std::move(bytes))
                .then_wrapped([this](future<std::size_t> ended) {
                    if (ended.failed()) {
                        note(ended.get_exception());
                    } else {
                        ended.ignore_ready_future();
                    }
                    _free_writes.signal();
                });
        });
    }

    // Writes a buffer that is not full. Direct I/O takes only whole blocks: what is too much is cut
    // off again, and the block is written once more when there is more of it.
    future<> write_rest() {
        if (_used_bytes == 0) {
            return make_ready_future<>();
        }
        const std::size_t block_bytes = _file.disk_write_dma_alignment();
        const std::size_t whole_bytes = (_used_bytes + block_bytes - 1) / block_bytes * block_bytes;
        if (whole_bytes == _used_bytes && block_bytes == 1) {
            auto rest = std::move(_buffer);
            rest.trim(std::exchange(_used_bytes, 0));
            return write(std::move(rest));
        }
        std::memset(_buffer.get_write() + _used_bytes, 0, whole_bytes - _used_bytes);
        return _file.dma_write(_offset, _buffer.share(0, whole_bytes))
            .then([this](std::size_t) { return wait_for_writes(); })
            .then([this] { return _file.truncate(_offset + _used_bytes); });
    }

    future<> wait_for_writes() {
        return _free_writes.wait(_write_max).then([this] {
            _free_writes.signal(_write_max);
            return first_error();
        });
    }
};

}  // namespace

input_stream<char> make_file_input_stream(file source, std::uint64_t offset,
                                          std::uint64_t size_bytes,
                                          file_input_stream_options options) {
    return input_stream<char>(
        std::make_unique<file_source>(std::move(source), offset, size_bytes, options));
}

input_stream<char> make_file_input_stream(file source, file_input_stream_options options) {
    return make_file_input_stream(std::move(source), 0, std::numeric_limits<std::uint64_t>::max(),
                                  options);
}

future<output_stream<char>> make_file_output_stream(file target,
                                                    file_output_stream_options options) {
    if (target.opened()->appends && target.disk_write_dma_alignment() != 1) {
        // The last block would be filled up, and stay where it is.
        return make_exception_future<output_stream<char>>(internal::file_error(EINVAL, "append"));
    }
    return make_ready_future<output_stream<char>>(
        std::make_unique<file_sink>(std::move(target), options));
}

}  // namespace miniss
