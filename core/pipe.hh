// A queue with two ends that live their own lives: each notices when the other is gone.
#pragma once

#include <memory>
#include <optional>

#include <miniss/core/queue.hh>

namespace miniss {

// What a writer gets whose reader is gone.
struct broken_pipe_exception : std::exception {
    const char* what() const noexcept override { return "broken pipe"; }
};

// What unread() throws if an item is in its place already.
struct unread_overflow_exception : std::exception {
    const char* what() const noexcept override { return "unread overflow"; }
};

namespace internal {

// What the two ends share.
template <typename T>
struct pipe_items {
    queue<T> items;
    bool writer_is_gone = false;

    explicit pipe_items(std::size_t max_size) : items(max_size) {}
};

}  // namespace internal

// The end where items come out.
//
// Lifetime: destroying it drops what is still in the pipe and fails the writer's calls.
// Shard:    that of the writer. One read at a time.
template <typename T>
class pipe_reader {
    std::shared_ptr<internal::pipe_items<T>> _shared;
    std::optional<T> _unread;

public:
    explicit pipe_reader(std::shared_ptr<internal::pipe_items<T>> shared) noexcept
        : _shared(std::move(shared)) {}
    pipe_reader(pipe_reader&&) noexcept = default;
    pipe_reader& operator=(pipe_reader&& other) noexcept {
        if (this != &other) {
            close();
            _shared = std::move(other._shared);
            _unread = std::exchange(other._unread, std::nullopt);
        }
        return *this;
    }
    ~pipe_reader() { close(); }

    // The next item, or nothing once the writer is gone and all was read.
    // Errors: as those of queue::pop_eventually().
    future<std::optional<T>> read(const wait_limit& limit = {}) noexcept {
        using result = future<std::optional<T>>;
        if (_unread) {
            return result::make_ready(std::exchange(_unread, std::nullopt));
        }
        if (_shared->items.empty() && _shared->writer_is_gone) {
            return result::make_ready(std::nullopt);
        }
        return _shared->items.pop_eventually(limit).then_wrapped(
            [shared = _shared](future<T> ended) {
                if (ended.failed() && shared->writer_is_gone) {
                    ended.ignore_ready_future();
                    return std::optional<T>();
                }
                return std::optional<T>(ended.get());
            });
    }

    // Puts an item back, for the next read(). Throws unread_overflow_exception if one is there.
    void unread(T&& item) {
        if (_unread) {
            throw unread_overflow_exception();
        }
        _unread = std::move(item);
    }

private:
    void close() noexcept {
        if (_shared) {
            _shared->items.abort(std::make_exception_ptr(broken_pipe_exception()));
        }
    }
};

// The end where items go in.
//
// Lifetime: destroying it, with no write under way, ends the reader's items.
// Shard:    that of the reader.
template <typename T>
class pipe_writer {
    std::shared_ptr<internal::pipe_items<T>> _shared;

public:
    explicit pipe_writer(std::shared_ptr<internal::pipe_items<T>> shared) noexcept
        : _shared(std::move(shared)) {}
    pipe_writer(pipe_writer&&) noexcept = default;
    pipe_writer& operator=(pipe_writer&& other) noexcept {
        if (this != &other) {
            close();
            _shared = std::move(other._shared);
        }
        return *this;
    }
    ~pipe_writer() { close(); }

    // Ready once there was a place for the item.
    // Errors: broken_pipe_exception, and those of queue::push_eventually().
    future<> write(T item, const wait_limit& limit = {}) noexcept {
        return _shared->items.push_eventually(std::move(item), limit).finally([shared = _shared] {
        });
    }

private:
    void close() noexcept {
        if (_shared) {
            _shared->writer_is_gone = true;
            if (_shared->items.empty()) {  // A reader that waits now would wait for ever.
                _shared->items.abort(std::make_exception_ptr(broken_pipe_exception()));
            }
        }
    }
};

// Makes both ends: pipe<int> p(10); then hand p.reader and p.writer to those who use them.
// Cost: that of a queue.
template <typename T>
class pipe {
    std::shared_ptr<internal::pipe_items<T>> _shared;

public:
    pipe_reader<T> reader;
    pipe_writer<T> writer;

    // `max_size` items are kept for the reader before the writer has to wait; at least 1.
    explicit pipe(std::size_t max_size)
        : _shared(std::make_shared<internal::pipe_items<T>>(max_size)),
          reader(_shared),
          writer(std::move(_shared)) {}
};

}  // namespace miniss
