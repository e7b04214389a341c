#include <miniss/tests/sim/sim_connection.hh>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <miniss/core/assert.hh>

namespace miniss::sim {

std::optional<int> sim_connection::send(unsigned side, const char* data, std::size_t size_bytes) {
    end& mine = _ends[side];
    end& other = _ends[1 - side];
    if (is_past(mine.reset)) {
        return _random.coin() ? -ECONNRESET : -EPIPE;
    }
    if (mine.sent.end) {
        return -EPIPE;
    }
    stream& sent = mine.sent;
    const std::size_t room =
        _options.window_bytes - std::min(sent.byte_count, _options.window_bytes);
    if (room == 0 || is_paused(mine)) {
        return std::nullopt;
    }
    const std::size_t taken = _random.piece(std::min(room, size_bytes));
    if (other.closed) {  // The bytes go out, and a reset comes back.
        reset(mine);
        sent.byte_count += taken;
        return static_cast<int>(taken);
    }
    sent.last_due = std::max(sent.last_due, _clock.in(_random.delay(_options.latency_max)));
    sent.pieces.push_back({std::string(data, taken), sent.last_due});
    sent.byte_count += taken;
    return static_cast<int>(taken);
}

std::optional<io_result> sim_connection::receive(unsigned side) {
    end& mine = _ends[side];
    io_result result;
    if (!readable(side)) {
        return std::nullopt;
    }
    if (!mine.receives) {
        return result;
    }
    stream& incoming = _ends[1 - side].sent;
    const bool has_bytes = !incoming.pieces.empty() && incoming.pieces.front().due <= _clock.now();
    if (is_past(mine.reset) && (mine.reset_loses_bytes || !has_bytes)) {
        result.value = -ECONNRESET;
    } else if (has_bytes) {
        if (is_paused(mine)) {
            return std::nullopt;
        }
        result.data = take(incoming);
        result.value = static_cast<int>(result.data.size());
        result.more = true;
    }
    return result;
}

bool sim_connection::readable(unsigned side) const noexcept {
    const end& mine = _ends[side];
    const stream& incoming = _ends[1 - side].sent;
    const bool has_bytes = !incoming.pieces.empty() && incoming.pieces.front().due <= _clock.now();
    const bool has_ended = incoming.pieces.empty() && is_past(incoming.end);
    return !mine.receives || is_past(mine.reset) || has_bytes || has_ended;
}

// Also where sending would fail.
bool sim_connection::writable(unsigned side) const noexcept {
    const end& mine = _ends[side];
    return is_past(mine.reset) || mine.sent.end ||
           (mine.sent.byte_count < _options.window_bytes && mine.paused_until <= _clock.now());
}

// All that has arrived and fits, or less.
temporary_buffer<char> sim_connection::take(stream& from) {
    std::size_t arrived = 0;
    for (const piece& each : from.pieces) {
        arrived += each.due <= _clock.now() ? each.bytes.size() : 0;
    }
    temporary_buffer<char> taken(_random.piece(std::min(arrived, _options.receive_bytes_max)));
    std::size_t filled = 0;
    while (filled < taken.size()) {
        std::string& first = from.pieces.front().bytes;
        const std::size_t part = std::min(first.size(), taken.size() - filled);
        std::memcpy(taken.get_write() + filled, first.data(), part);
        filled += part;
        first.erase(0, part);
        if (first.empty()) {
            from.pieces.pop_front();
        }
    }
    from.byte_count -= filled;
    return taken;
}

void sim_connection::shutdown(unsigned side, int how) {
    end& mine = _ends[side];
    if (how == SHUT_WR || how == SHUT_RDWR) {
        finish(mine);
    }
    if (how == SHUT_RD || how == SHUT_RDWR) {
        mine.receives = false;
    }
}

void sim_connection::close(unsigned side) {
    end& mine = _ends[side];
    end& other = _ends[1 - side];
    MINISS_ASSERT(!mine.closed);
    mine.closed = true;
    if (!other.sent.pieces.empty()) {
        reset(other);
    } else {
        finish(mine);
    }
}

void sim_connection::cut() noexcept {
    for (end& each : _ends) {
        each.reset = _clock.now();
        each.reset_loses_bytes = true;
    }
}

// No more bytes from this side: the other will see the end behind the last one.
void sim_connection::finish(end& mine) {
    if (!mine.sent.end) {
        mine.sent.last_due =
            std::max(mine.sent.last_due, _clock.in(_random.delay(_options.latency_max)));
        mine.sent.end = mine.sent.last_due;
    }
}

void sim_connection::reset(end& mine) {
    if (!mine.reset) {
        mine.reset = _clock.in(_random.delay(_options.latency_max));
        mine.reset_loses_bytes = _random.coin();
    }
}

// Now and then a kernel is short of buffers and goes on a little later.
bool sim_connection::is_paused(end& mine) {
    if (mine.paused_until <= _clock.now() && _random.pick(16) == 1) {
        mine.paused_until = _clock.in(_random.delay(_options.latency_max));
    }
    return mine.paused_until > _clock.now();
}

}  // namespace miniss::sim
