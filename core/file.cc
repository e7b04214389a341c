#include <miniss/core/file.hh>

#include <algorithm>
#include <new>

#include <miniss/core/kernel_files.hh>
#include <miniss/core/reactor.hh>

namespace miniss {

namespace internal {

namespace {

struct close_call : plain_call {
    static constexpr const char* name = "close";
    int fd;

    explicit close_call(int closed) noexcept : fd(closed) {}
    file_request request() const noexcept { return {close_request{fd}}; }
    // When a shard stops, what the kernel has not begun with is cancelled, but no descriptor may be
    // left open. One that was interrupted is closed nevertheless (close(2)).
    int checked(int value) const noexcept {
        if (value == -ECANCELED) {
            value = make_file_call(request());
        }
        return value == -EINTR ? -EIO : value;
    }
};

// Waits until a stream can be read or written.
class readiness final : public io_completion {
    promise<> _promise;

public:
    future<> start(io_backend& backend, const io_op& op) noexcept {
        auto ready = _promise.get_future();
        backend.submit(op, *this);
        return ready;
    }
    void complete(io_result&& answer) noexcept override {
        auto ready = std::move(_promise);
        delete this;
        if (answer.value < 0) {
            ready.set_exception(file_error(-answer.value, "wait for a file"));
        } else {
            ready.set_value();
        }
    }
};

}  // namespace

void open_file::drop_reference() noexcept {
    if (--_reference_count != 0) {
        return;
    }
    if (!_closed && !is_borrowed) {  // An error is reported as ignored.
        (void)make_call(_backend, close_call(_fd));
    }
    delete this;
}

future<> open_file::close() noexcept {
    MINISS_ASSERT(!_closed && !is_borrowed);  // Once.
    _closed = true;
    auto closed = _closing.emplace().get_future();
    close_when_idle();
    return closed;
}

void open_file::close_when_idle() noexcept {
    if (_call_count == 0 && _closing) {
        auto closing = std::move(*_closing);
        _closing.reset();
        make_call(_backend, close_call(_fd)).forward_to(std::move(closing));
    }
}

}  // namespace internal

namespace {

using internal::file_ref;
using internal::file_use;
using internal::plain_call;

// What reads and writes have in common: they go on until everything is done.
struct transfer {
    file_use file;
    std::uint64_t offset;
    std::size_t wanted_bytes;
    std::size_t done_bytes = 0;

    transfer(const file_ref& of, std::uint64_t where, std::size_t size_bytes) noexcept
        : file(of), offset(where), wanted_bytes(size_bytes) {}

    std::uint64_t next_offset() const noexcept {
        return file->is_stream ? current_offset : offset + done_bytes;
    }
    std::size_t finish(int) noexcept { return done_bytes; }
};

struct read_transfer : transfer {
    using result = std::size_t;
    static constexpr const char* name = "read";

    using transfer::transfer;
    static int checked(int value) noexcept { return value; }
    // Direct reads stop short in the middle of a block only where the file ends, and must not be
    // asked to go on from there.
    bool goes_on(int value) noexcept {
        done_bytes += static_cast<std::size_t>(value);
        return value != 0 && done_bytes < wanted_bytes && !file->is_stream &&
               done_bytes % file->offset_alignment == 0;
    }
};

struct write_transfer : transfer {
    using result = std::size_t;
    static constexpr const char* name = "write";

    using transfer::transfer;
    // The kernel should not write nothing without saying why.
    int checked(int value) const noexcept {
        return value == 0 && done_bytes < wanted_bytes ? -EIO : value;
    }
    bool goes_on(int value) noexcept {
        done_bytes += static_cast<std::size_t>(value);
        return done_bytes < wanted_bytes;
    }
};

struct read_call : read_transfer {
    char* into;

    read_call(const file_ref& of, std::uint64_t where, char* memory, std::size_t size) noexcept
        : read_transfer(of, where, size), into(memory) {}

    file_request request() const noexcept {
        char* const rest = into + done_bytes;
        const std::size_t rest_bytes = wanted_bytes - done_bytes;
        return {read_request{file->fd(), rest, rest_bytes, next_offset(),
                             file->knows(rest, rest_bytes)}};
    }
};

// Of the aligned range around what is wanted.
struct buffer_read_call : read_call {
    using result = temporary_buffer<char>;
    temporary_buffer<char> buffer;
    std::size_t front_bytes;
    std::size_t size_bytes;

    buffer_read_call(const file_ref& of, temporary_buffer<char> memory, std::uint64_t where,
                     std::size_t before, std::size_t size) noexcept
        : read_call(of, where - before, memory.get_write(), memory.size()),
          buffer(std::move(memory)),
          front_bytes(before),
          size_bytes(size) {}

    temporary_buffer<char> finish(int) noexcept {
        const std::size_t skipped = std::min(front_bytes, done_bytes);
        buffer.trim(std::min(done_bytes, front_bytes + size_bytes));
        buffer.trim_front(skipped);
        return std::move(buffer);
    }
};

struct write_call : write_transfer {
    temporary_buffer<char> owned;
    const char* from;

    write_call(const file_ref& of, std::uint64_t where, const char* memory,
               std::size_t size) noexcept
        : write_transfer(of, where, size), from(memory) {}
    write_call(const file_ref& of, std::uint64_t where, temporary_buffer<char> memory) noexcept
        : write_transfer(of, where, memory.size()), owned(std::move(memory)), from(owned.get()) {}

    file_request request() const noexcept {
        const char* const rest = from + done_bytes;
        const std::size_t rest_bytes = wanted_bytes - done_bytes;
        return {write_request{file->fd(), rest, rest_bytes, next_offset(),
                              file->knows(rest, rest_bytes)}};
    }
};

std::size_t size_of(const std::vector<iovec>& pieces) noexcept {
    std::size_t size_bytes = 0;
    for (const iovec& piece : pieces) {
        size_bytes += piece.iov_len;
    }
    return size_bytes;
}

// Of a list of pieces, or what is left of it.
template <typename Transfer, typename Request>
struct list_call : Transfer {
    std::vector<iovec> pieces;
    std::size_t first = 0;

    list_call(const file_ref& of, std::uint64_t where, std::vector<iovec> memory) noexcept
        : Transfer(of, where, size_of(memory)), pieces(std::move(memory)) {}

    file_request request() const noexcept {
        const std::size_t piece_count = std::min(pieces.size() - first, piece_count_max);
        return {Request{this->file->fd(), pieces.data() + first, static_cast<unsigned>(piece_count),
                        this->next_offset()}};
    }
    bool goes_on(int value) noexcept {
        auto left_bytes = static_cast<std::size_t>(value);
        for (; first < pieces.size() && left_bytes >= pieces[first].iov_len; ++first) {
            left_bytes -= pieces[first].iov_len;
        }
        if (left_bytes != 0) {
            iovec& piece = pieces[first];
            piece.iov_base = static_cast<char*>(piece.iov_base) + left_bytes;
            piece.iov_len -= left_bytes;
        }
        return Transfer::goes_on(value);
    }
};
using read_list_call = list_call<read_transfer, read_list_request>;
using write_list_call = list_call<write_transfer, write_list_request>;

struct flush_call : plain_call {
    static constexpr const char* name = "fdatasync";
    file_use file;

    explicit flush_call(const file_ref& of) noexcept : file(of) {}
    file_request request() const noexcept { return {sync_request{file->fd()}}; }
};

struct truncate_call : plain_call {
    static constexpr const char* name = "ftruncate";
    file_use file;
    std::uint64_t size_bytes;

    truncate_call(const file_ref& of, std::uint64_t size) noexcept : file(of), size_bytes(size) {}
    file_request request() const noexcept { return {truncate_request{file->fd(), size_bytes}}; }
};

struct allocate_call : plain_call {
    static constexpr const char* name = "fallocate";
    file_use file;
    int mode;
    std::uint64_t offset;
    std::uint64_t size_bytes;

    allocate_call(const file_ref& of, int how, std::uint64_t where, std::uint64_t size) noexcept
        : file(of), mode(how), offset(where), size_bytes(size) {}
    file_request request() const noexcept {
        return {allocate_request{file->fd(), mode, offset, size_bytes}};
    }
};

}  // namespace

// For what may have to wait: a stream, until `ready` is complete.
template <typename Call>
future<typename Call::result> file::start_when(const io_op& ready, Call call) const noexcept {
    if (!_file->is_stream || _file->closed()) {
        return start(std::move(call));
    }
    return (new internal::readiness)
        ->start(_file->backend(), ready)
        .then([call = std::move(call)]() mutable {
            io_backend& backend = call.file->backend();
            return internal::make_call(backend, std::move(call));
        });
}

file file::from_descriptor(int fd) {
    auto* opened = new internal::open_file(engine().backend(), fd);
    opened->is_stream = true;
    return file(*opened);
}

file file::borrow(int fd) {
    auto* opened = new internal::open_file(engine().backend(), fd);
    opened->is_borrowed = true;
    return file(*opened);
}

temporary_buffer<char> file::make_buffer(std::size_t size_bytes) const {
    if (_file->buffers != nullptr) {
        if (auto known = _file->buffers->take(size_bytes)) {
            return known;
        }
    }
    return temporary_buffer<char>::aligned(_file->memory_alignment, size_bytes);
}

future<std::size_t> file::dma_read(std::uint64_t offset, char* into,
                                   std::size_t size_bytes) const noexcept {
    return start_when(readable_op{fd()}, read_call(_file, offset, into, size_bytes));
}

future<temporary_buffer<char>> file::dma_read(std::uint64_t offset,
                                              std::size_t size_bytes) const noexcept {
    const std::uint64_t alignment = _file->offset_alignment;
    const std::size_t before = offset % alignment;
    const std::size_t whole_bytes = (before + size_bytes + alignment - 1) / alignment * alignment;
    try {
        auto buffer = make_buffer(whole_bytes);
        return start_when(readable_op{fd()},
                          buffer_read_call(_file, std::move(buffer), offset, before, size_bytes));
    } catch (const std::bad_alloc&) {
        return current_exception_as_future<temporary_buffer<char>>();
    }
}

future<std::size_t> file::dma_write(std::uint64_t offset, const char* from,
                                    std::size_t size_bytes) const noexcept {
    return start_when(writable_op{fd()}, write_call(_file, offset, from, size_bytes));
}

future<std::size_t> file::dma_write(std::uint64_t offset,
                                    temporary_buffer<char> from) const noexcept {
    return start_when(writable_op{fd()}, write_call(_file, offset, std::move(from)));
}

future<std::size_t> file::dma_read(std::uint64_t offset, std::vector<iovec> into) const noexcept {
    return start_when(readable_op{fd()}, read_list_call(_file, offset, std::move(into)));
}

future<std::size_t> file::dma_write(std::uint64_t offset, std::vector<iovec> from) const noexcept {
    return start_when(writable_op{fd()}, write_list_call(_file, offset, std::move(from)));
}

future<> file::flush() const noexcept { return start(flush_call(_file)); }

future<> file::truncate(std::uint64_t size_bytes) const noexcept {
    return start(truncate_call(_file, size_bytes));
}

future<> file::allocate(std::uint64_t offset, std::uint64_t size_bytes) const noexcept {
    return start(allocate_call(_file, FALLOC_FL_KEEP_SIZE, offset, size_bytes));
}

future<> file::discard(std::uint64_t offset, std::uint64_t size_bytes) const noexcept {
    return start(
        allocate_call(_file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, size_bytes));
}

future<> file::close() const noexcept { return _file->close(); }

}  // namespace miniss
