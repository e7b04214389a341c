#include <miniss/core/log_writer.hh>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <miniss/core/log_line.hh>
#include <miniss/core/log_rescue.hh>
#include <miniss/core/this_shard.hh>

namespace miniss {

namespace {

// What a pipe takes without waiting once poll() has found room in it.
constexpr std::size_t piece_bytes_max = 4096;
constexpr int look_every_milliseconds = 100;
constexpr int looks_max = 10;
// All that it calls is here; what the process gives its threads by default may be a lot.
constexpr std::size_t stack_bytes = std::size_t(256) * 1024;

// What is written at once. Whole lines where that is possible: so what others write to the same
// pipe does not end up within a line (pipe(7): up to PIPE_BUF bytes stay together).
std::string_view first_piece(std::string_view text) noexcept {
    text = text.substr(0, piece_bytes_max);
    const std::size_t last = text.rfind('\n');
    return last == text.npos ? text : text.substr(0, last + 1);
}

// True once stderr takes bytes, or an error instead of them; false after `milliseconds`.
bool wait_for_stderr(int milliseconds) noexcept {
    pollfd out{STDERR_FILENO, POLLOUT, 0};
    return ::poll(&out, 1, milliseconds) > 0;
}

// How many bytes are dealt with, be it that nobody will ever take them.
std::size_t write_some(std::string_view text) noexcept {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written >= 0) {
        return static_cast<std::size_t>(written);
    }
    return errno == EINTR || errno == EAGAIN ? 0 : text.size();
}

}  // namespace

void internal::write_to_stderr(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t done = write_some(text);
        text.remove_prefix(done);
        if (done == 0) {
            (void)wait_for_stderr(-1);
        }
    }
}

void internal::bring_to_stderr(std::string_view lines) noexcept {
    if (this_shard != nullptr && this_shard->log != nullptr) {
        this_shard->log->push(lines);
    } else {
        write_to_stderr(lines);
    }
}

bool internal::write_to_stderr(std::string_view text, const std::atomic<bool>& stopping) noexcept {
    for (int looks_left = looks_max; !text.empty();) {
        if (wait_for_stderr(look_every_milliseconds)) {
            text.remove_prefix(write_some(first_piece(text)));
            looks_left = looks_max;
        } else if (stopping.load() && --looks_left == 0) {
            return false;
        }
    }
    return true;
}

internal::log_bell::log_bell() : _event(::eventfd(0, EFD_CLOEXEC)) {
    if (_event < 0) {
        throw std::system_error(errno, std::system_category(), "eventfd");
    }
}

internal::log_bell::~log_bell() { (void)::close(_event); }

void internal::log_bell::ring() noexcept {
    if (_sleeping.load() && _sleeping.exchange(false)) {
        const std::uint64_t one = 1;
        (void)!::write(_event, &one, sizeof one);
    }
}

void internal::log_bell::sleep() noexcept {
    std::uint64_t count = 0;
    while (::read(_event, &count, sizeof count) < 0 && errno == EINTR) {}
}

void log_buffer::push(std::string_view line) noexcept {
    const std::size_t begin = _written_bytes.load(std::memory_order_relaxed);
    if (line.size() > capacity_bytes - (begin - _read_bytes.load())) {
        _dropped_count.fetch_add(1);
        return;
    }
    const std::size_t place = begin % capacity_bytes;
    const std::size_t until_end = std::min(line.size(), capacity_bytes - place);
    std::memcpy(_bytes.get() + place, line.data(), until_end);
    std::memcpy(_bytes.get(), line.data() + until_end, line.size() - until_end);
    _written_bytes.store(begin + line.size());
    _bell.ring();
}

std::string_view log_buffer::front() const noexcept {
    const std::size_t begin = _read_bytes.load(std::memory_order_relaxed);
    const std::size_t place = begin % capacity_bytes;
    return {_bytes.get() + place, std::min(_written_bytes.load() - begin, capacity_bytes - place)};
}

struct log_writer::implementation {
    internal::log_bell bell;
    std::deque<log_buffer> buffers;
    std::vector<unsigned long> told_dropped_counts;
    std::atomic<bool> stopping{false};
    bool given_up = false;  // Nobody takes anything any more.
    pthread_t thread{};

    explicit implementation(unsigned shard_count) : told_dropped_counts(shard_count) {
        for (unsigned shard = 0; shard < shard_count; ++shard) {
            buffers.emplace_back(bell);
        }
    }

    void start() {
        pthread_attr_t attributes;
        (void)pthread_attr_init(&attributes);
        (void)pthread_attr_setstacksize(&attributes, stack_bytes);
        const auto body = [](void* self) -> void* {
            static_cast<implementation*>(self)->run();
            return nullptr;
        };
        const int error = pthread_create(&thread, &attributes, body, this);
        (void)pthread_attr_destroy(&attributes);
        if (error != 0) {
            throw std::system_error(error, std::system_category(), "pthread_create");
        }
    }

    void run() noexcept {
        (void)pthread_setname_np(pthread_self(), "miniss-log");
        for (;;) {
            const bool last_round = stopping.load();
            while (empty_all()) {}
            if (last_round) {
                return;
            }
            bell.prepare_to_sleep();
            if (stopping.load() || has_any()) {
                bell.stay_awake();
            } else {
                bell.sleep();
            }
        }
    }

    bool has_any() const noexcept {
        return std::any_of(buffers.begin(), buffers.end(),
                           [](const log_buffer& each) { return !each.front().empty(); });
    }

private:
    // True if there was anything. Each buffer is left at the end of a line.
    bool empty_all() noexcept {
        bool found = false;
        for (std::size_t shard = 0; shard < buffers.size(); ++shard) {
            log_buffer& each = buffers[shard];
            bool at_line_end = true;
            for (auto text = each.front(); !text.empty() && !given_up;
                 text = at_line_end ? std::string_view() : each.front()) {
                found = true;
                at_line_end = text.back() == '\n';
                write_from(each, text);
            }
            tell_dropped(shard);
        }
        return found && !given_up;
    }

    // Gives the room back piece by piece: stderr may be slow.
    void write_from(log_buffer& source, std::string_view text) noexcept {
        while (!text.empty() && !given_up) {
            const auto piece = first_piece(text);
            write(piece);
            source.pop(piece.size());
            text.remove_prefix(piece.size());
        }
    }

    void tell_dropped(std::size_t shard) noexcept {
        const unsigned long dropped = buffers[shard].dropped_count();
        if (dropped != told_dropped_counts[shard] && !given_up) {
            const std::uint64_t more = dropped - std::exchange(told_dropped_counts[shard], dropped);
            const internal::log_argument arguments[] = {internal::log_argument(more),
                                                        internal::log_argument(shard)};
            try {
                write(internal::make_log_line(
                    "warn", "log", "{} lines of shard {} are lost: stderr was too slow for them",
                    arguments, 2));
            } catch (const std::bad_alloc&) {
                told_dropped_counts[shard] -= more;
            }
        }
    }

    void write(std::string_view text) noexcept {
        given_up = given_up || !internal::write_to_stderr(text, stopping);
    }
};

log_writer::log_writer(unsigned shard_count)
    : _implementation(std::make_unique<implementation>(shard_count)) {
    _implementation->start();
    internal::rescue_log(this);
}

log_writer::~log_writer() {
    _implementation->stopping.store(true);
    _implementation->bell.ring();
    (void)pthread_join(_implementation->thread, nullptr);
    internal::rescue_log(nullptr);
}

bool log_writer::has_unwritten() const noexcept { return _implementation->has_any(); }

log_buffer& log_writer::buffer_of(unsigned shard) noexcept {
    return _implementation->buffers[shard];
}

}  // namespace miniss
