// Byte streams over anything that gives and takes buffers.
#pragma once

#include <concepts>
#include <memory>
#include <string_view>
#include <vector>

#include <miniss/core/buffer.hh>
#include <miniss/core/future.hh>
#include <miniss/core/task_memory.hh>

namespace miniss {

// Pieces that are sent together, in order.
using gather_list = std::vector<temporary_buffer<char>, task_allocator<temporary_buffer<char>>>;

// Where an input_stream gets its bytes from: a socket, a file, later TLS.
class data_source {
public:
    virtual ~data_source() = default;
    // The next piece; an empty one at the end. One call at a time.
    virtual future<temporary_buffer<char>> get() = 0;
    // Gives up what has not been read. A get() that waits fails.
    virtual future<> close() = 0;
};

// Where an output_stream sends its bytes to.
class data_sink {
public:
    virtual ~data_sink() = default;
    // Takes all pieces, and keeps them until they are sent. One call at a time.
    virtual future<> put(gather_list&& pieces) = 0;
    // The same, also for no pieces; ready once everything is where it is to go.
    virtual future<> flush(gather_list&& pieces) {
        return pieces.empty() ? make_ready_future<>() : put(std::move(pieces));
    }
    // Tells the other side that nothing more will come.
    virtual future<> close() = 0;
};

template <typename CharType = char>
class input_stream;
template <typename CharType = char>
class output_stream;

// Reads a stream of bytes in pieces.
//
// Lifetime: must live until the futures it gave are ready. Call close() before it dies.
// Shard:    its source's. One read at a time.
template <>
class input_stream<char> {
    std::unique_ptr<data_source> _source;
    temporary_buffer<char> _left;  // Read from the source but not by the user.
    bool _ended = false;

public:
    input_stream() noexcept = default;
    explicit input_stream(std::unique_ptr<data_source> source) noexcept
        : _source(std::move(source)) {}

    // What is there, as it came; waits only if nothing is. An empty buffer at the end.
    future<temporary_buffer<char>> read();

    // Exactly `size_bytes`, in one piece, or less where the stream ends before.
    // Cost: no copy if they came in one piece.
    future<temporary_buffer<char>> read_exactly(std::size_t size_bytes);

    // Something, but at most `size_bytes`. An empty buffer at the end.
    future<temporary_buffer<char>> read_up_to(std::size_t size_bytes);

    // Drops the next `size_bytes`, or all where the stream ends before.
    future<> skip(std::size_t size_bytes);

    bool eof() const noexcept { return _ended && _left.empty(); }

    future<> close() { return _source->close(); }

private:
    future<temporary_buffer<char>> collect(temporary_buffer<char> into, std::size_t have_bytes);
};

// Writes a stream of bytes. Small writes are gathered and leave together with flush(), or once
// there are many of them; buffers are sent from where they are.
//
// Lifetime: must live until the futures it gave are ready. Call close() before it dies.
// Shard:    its sink's. One write, flush or close at a time.
template <>
class output_stream<char> {
    std::unique_ptr<data_sink> _sink;
    gather_list _pieces;
    std::size_t _pieces_bytes = 0;
    temporary_buffer<char> _tail;  // Memory for small writes, of which some bytes are used.
    std::size_t _tail_used_bytes = 0;

public:
    // More than that is sent without waiting for flush().
    static constexpr std::size_t unsent_bytes_max = 128 * 1024;
    // Up to here copying a buffer costs less than another piece of a gathered send.
    static constexpr std::size_t copied_bytes_max = 512;

    output_stream() noexcept = default;
    explicit output_stream(std::unique_ptr<data_sink> sink) noexcept : _sink(std::move(sink)) {}

    // Copies `bytes`. Ready at once unless much is unsent.
    // Errors: of the sink, such as std::system_error EPIPE and ECONNRESET.
    future<> write(std::string_view bytes);
    future<> write(const char* bytes, std::size_t size_bytes) {
        return write(std::string_view(bytes, size_bytes));
    }

    // Has `write` put its bytes where they will be sent from, which saves a copy: it gets the place
    // of at most `bytes_max` bytes, and returns where what it wrote ends. May not throw.
    // Errors: as above.
    template <std::invocable<char*> Func>
    future<> write_in_place(std::size_t bytes_max, Func&& write) {
        char* const begin = make_room(bytes_max);
        _tail_used_bytes += static_cast<std::size_t>(write(begin) - begin);
        return put_if_much();
    }

    // Sends the buffer itself, unless it is so small that copying is cheaper.
    future<> write(temporary_buffer<char> bytes);

    // The same for several, which are sent from where they are whatever their size.
    future<> write(gather_list&& pieces);

    // Sends everything. Ready when the sink has taken it all.
    future<> flush();

    bool has_unsent() const noexcept { return _tail_used_bytes != 0 || !_pieces.empty(); }

    // Flushes, and ends the stream.
    future<> close();

private:
    // Where the next `size_bytes` bytes of the tail go.
    char* make_room(std::size_t size_bytes) {
        if (_tail.size() - _tail_used_bytes < size_bytes) {
            start_tail(size_bytes);
        }
        return _tail.get_write() + _tail_used_bytes;
    }
    void start_tail(std::size_t room_bytes);
    void append(std::string_view bytes);
    void finish_tail();
    gather_list take_all();
    future<> put_if_much() {
        if (_pieces_bytes + _tail_used_bytes < unsent_bytes_max) [[likely]] {
            return make_ready_future<>();
        }
        return _sink->put(take_all());
    }
};

}  // namespace miniss
