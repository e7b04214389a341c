// Brings what shards have to say to stderr, without any of them waiting for it.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

namespace miniss {

namespace internal {

// Writes all of it, on the calling thread. What the system does not take is lost.
void write_to_stderr(std::string_view text) noexcept;

// Brings whole lines to stderr: from a shard that has a buffer without waiting, as loggers do.
void bring_to_stderr(std::string_view lines) noexcept;

// The same, as long as it takes. But once `stopping` is set it gives up, and returns false, when
// stderr has taken nothing for a second.
bool write_to_stderr(std::string_view text, const std::atomic<bool>& stopping) noexcept;

// Wakes the writer's thread, which sleeps when all is written.
class log_bell {
    std::atomic<bool> _sleeping{false};
    int _event;

public:
    // Errors: throws std::system_error.
    log_bell();
    ~log_bell();
    log_bell(const log_bell&) = delete;
    log_bell& operator=(const log_bell&) = delete;

    // Any thread. A system call only if the writer sleeps.
    void ring() noexcept;
    // On the writer's thread: anything that is published later rings. Then sleep() or stay_awake().
    void prepare_to_sleep() noexcept { _sleeping.store(true); }
    void stay_awake() noexcept { _sleeping.store(false); }
    void sleep() noexcept;
};

}  // namespace internal

// The lines of one shard on their way out.
//
// Shard: push() on the shard, the rest on the writer's thread.
class log_buffer {
public:
    static constexpr std::size_t capacity_bytes = std::size_t(256) * 1024;

private:
    internal::log_bell& _bell;
    std::unique_ptr<char[]> _bytes{new char[capacity_bytes]};
    // How many bytes ever were written and read; only whole lines are published.
    alignas(64) std::atomic<std::size_t> _written_bytes{0};
    std::atomic<unsigned long> _dropped_count{0};
    alignas(64) std::atomic<std::size_t> _read_bytes{0};

public:
    explicit log_buffer(internal::log_bell& bell) : _bell(bell) {}

    // Never waits. If there is no room the line is dropped, and counted.
    void push(std::string_view line) noexcept;

    // The next bytes; those behind the end of the memory are left to the next call.
    std::string_view front() const noexcept;
    void pop(std::size_t size_bytes) noexcept { _read_bytes.fetch_add(size_bytes); }
    unsigned long dropped_count() const noexcept { return _dropped_count.load(); }
};

// The buffers of all shards, and the thread that empties them.
class log_writer {
    struct implementation;
    std::unique_ptr<implementation> _implementation;

public:
    // Errors: throws std::system_error.
    explicit log_writer(unsigned shard_count);
    // Writes what is left, and gives up when stderr has taken nothing for a second. The shards must
    // have ended.
    ~log_writer();
    log_writer(const log_writer&) = delete;
    log_writer& operator=(const log_writer&) = delete;

    log_buffer& buffer_of(unsigned shard) noexcept;
    // Any thread, also within the handler of a signal.
    bool has_unwritten() const noexcept;
};

}  // namespace miniss
