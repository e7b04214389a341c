#include <miniss/tests/sim/sim_backend.hh>

#include <algorithm>
#include <cerrno>

#include <miniss/core/assert.hh>
#include <miniss/core/kernel_files.hh>
#include <miniss/core/overloaded.hh>

namespace miniss::sim {

namespace {

constexpr int no_socket = -1;

int fd_of(const io_op& op) noexcept {
    return std::visit(overloaded{[](const auto& each) { return each.fd; },
                                 [](const file_op&) { return no_socket; }},
                      op);
}

io_result result_of(int value, bool more = false) noexcept {
    io_result result;
    result.value = value;
    result.more = more;
    return result;
}

// Whether the first piece of a list has any, so that a call may end within it.
bool has_bytes(const iovec* pieces, unsigned piece_count) noexcept {
    return piece_count != 0 && pieces->iov_len != 0;
}

// What is left of `message` behind its first `done_bytes`, up to the end of a piece.
iovec rest_of(const msghdr& message, std::size_t done_bytes) noexcept {
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
        const iovec& piece = message.msg_iov[i];
        if (done_bytes < piece.iov_len) {
            return {static_cast<char*>(piece.iov_base) + done_bytes, piece.iov_len - done_bytes};
        }
        done_bytes -= piece.iov_len;
    }
    return {};
}

}  // namespace

sim_backend::~sim_backend() {
    MINISS_ASSERT(_operations.empty());  // Otherwise: the shard was not stopped.
}

void sim_backend::submit(const io_op& op, io_completion& waiter) noexcept {
    waiter.submitted_op = op;
    operation& added = _operations.emplace_back(operation{&waiter});
    if (std::holds_alternative<file_op>(op)) {
        added.due = _clock.in(_random.delay(file_latency_max));
    } else {
        _network.enter(fd_of(op));
    }
}

void sim_backend::cancel(io_completion& waiter) noexcept {
    for (operation& each : _operations) {
        each.cancelled |= each.waiter == &waiter;
    }
}

void sim_backend::cancel_all() noexcept {
    for (operation& each : _operations) {
        each.cancelled = true;
    }
}

bool sim_backend::poll() noexcept {
    _question_count = 0;
    std::vector<entry> to_try;
    for (entry each = _operations.begin(); each != _operations.end(); ++each) {
        to_try.push_back(each);
    }
    _random.shuffle(to_try);
    bool progressed = false;
    for (const entry each : to_try) {
        progressed |= attempt(each);
    }
    return progressed;
}

void sim_backend::wait_until(steady_clock::time_point deadline) noexcept {
    if (poll() || std::exchange(_woken, false)) {
        return;
    }
    const auto next = std::min(deadline, _clock.next_moment());
    MINISS_ASSERT(next != steady_clock::time_point::max());  // Otherwise: nothing will wake it.
    _clock.advance_to(next);
    poll();
}

bool sim_backend::attempt(entry tried) {
    // Completing may submit the next operation of the same waiter, so look at a copy.
    const io_op op = tried->waiter->submitted_op;
    const bool cancelled = tried->cancelled;
    if (!cancelled || _random.coin()) {
        const bool progressed = std::visit(
            overloaded{
                [&](const accept_op& accept) {
                    return attempt_plain(tried, _network.try_accept(accept.fd));
                },
                [&](const connect_op& connect) {
                    return attempt_plain(tried, _network.try_connect(connect.fd, connect.address,
                                                                     connect.address_bytes));
                },
                [&](const receive_op& receive) { return attempt_receive(tried, receive); },
                [&](const send_op& send) { return attempt_send(tried, send); },
                [&](const file_op& file) { return attempt_file(tried, file); },
                [&](const readable_op& readable) {
                    return attempt_plain(
                        tried, _network.readable(readable.fd) ? std::optional(0) : std::nullopt);
                },
                [&](const writable_op& writable) {
                    return attempt_plain(
                        tried, _network.writable(writable.fd) ? std::optional(0) : std::nullopt);
                },
            },
            op);
        if (progressed || !cancelled) {
            return progressed;
        }
    }
    const auto done = static_cast<int>(tried->done_bytes);
    finish(tried, result_of(done != 0 ? done : -ECANCELED));
    return true;
}

bool sim_backend::attempt_plain(entry tried, std::optional<int> result) {
    if (!result) {
        return false;
    }
    const bool accepts = std::holds_alternative<accept_op>(tried->waiter->submitted_op);
    finish(tried, result_of(*result, accepts && *result >= 0));
    return true;
}

bool sim_backend::attempt_receive(entry tried, const receive_op& op) {
    std::optional<io_result> result = _network.try_receive(op.fd);
    if (!result) {
        return false;
    }
    finish(tried, std::move(*result));
    return true;
}

// Goes on until all is sent, the connection would wait or fails, or chance stops it.
bool sim_backend::attempt_send(entry tried, const send_op& op) {
    bool progressed = false;
    for (;;) {
        const iovec rest = rest_of(*op.message, tried->done_bytes);
        if (rest.iov_len == 0) {
            finish(tried, result_of(static_cast<int>(tried->done_bytes)));
            return true;
        }
        const std::optional<int> sent =
            _network.try_send(op.fd, static_cast<const char*>(rest.iov_base), rest.iov_len);
        if (!sent) {
            return progressed;
        }
        if (*sent < 0) {
            const auto done = static_cast<int>(tried->done_bytes);
            finish(tried, result_of(done != 0 ? done : *sent));
            return true;
        }
        tried->done_bytes += static_cast<std::size_t>(*sent);
        progressed = true;
        if (rest_of(*op.message, tried->done_bytes).iov_len != 0 && _random.coin()) {
            return true;
        }
    }
}

// Short reads and writes happen by chance.
bool sim_backend::attempt_file(entry tried, const file_op& op) {
    if (tried->due > _clock.now()) {
        return false;
    }
    file_request request = *op.request;
    if (const std::optional<int> error = file_fault(request)) {
        finish(tried, result_of(*error));
        return true;
    }
    if (auto* read = std::get_if<read_request>(&request.call)) {
        read->size_bytes = file_piece(read->size_bytes);
    } else if (auto* write = std::get_if<write_request>(&request.call)) {
        write->size_bytes = file_piece(write->size_bytes);
    } else if (const auto* into = std::get_if<read_list_request>(&request.call);
               into != nullptr && has_bytes(into->pieces, into->piece_count) && _random.coin()) {
        request.call = read_request{into->fd, into->pieces->iov_base,
                                    file_piece(into->pieces->iov_len), into->offset};
    } else if (const auto* from = std::get_if<write_list_request>(&request.call);
               from != nullptr && has_bytes(from->pieces, from->piece_count) && _random.coin()) {
        request.call = write_request{from->fd, from->pieces->iov_base,
                                     file_piece(from->pieces->iov_len), from->offset};
    }
    finish(tried, result_of(make_file_call(request)));
    return true;
}

// A disk does not stop in the middle of a block.
std::size_t sim_backend::file_piece(std::size_t size_bytes) noexcept {
    constexpr std::size_t block_bytes = 512;
    const std::size_t piece = _random.piece(size_bytes);
    return size_bytes % block_bytes != 0 ? piece
                                         : (piece + block_bytes - 1) / block_bytes * block_bytes;
}

// Takes the operation out before completing it, as its waiter may start the next one.
void sim_backend::finish(entry finished, io_result&& result) {
    io_completion& waiter = *finished->waiter;
    if (!result.more) {
        if (const int fd = fd_of(waiter.submitted_op); fd != no_socket) {
            _network.leave(fd);
        }
        _operations.erase(finished);
    }
    waiter.complete(std::move(result));
}

}  // namespace miniss::sim
