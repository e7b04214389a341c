#include <miniss/net/stream_socket.hh>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace miniss::internal {

namespace {

std::exception_ptr error_of(int error, const char* what) {
    return std::make_exception_ptr(std::system_error(error, std::system_category(), what));
}

}  // namespace

// In bytes; a small piece takes up more memory than it has bytes.
std::size_t stream_socket::receiver::cost_of(const temporary_buffer<char>& piece) noexcept {
    return std::max<std::size_t>(piece.size(), 512);
}

future<temporary_buffer<char>> stream_socket::receiver::get() {
    MINISS_ASSERT(!_reader);  // One read at a time.
    if (!_pieces.empty()) {
        auto piece = std::move(_pieces.front());
        _pieces.erase(_pieces.begin());
        _pieces_cost -= cost_of(piece);
        return make_ready_future<temporary_buffer<char>>(std::move(piece));
    }
    auto next = _reader.emplace().get_future(code_location::named("receive"));
    if (_end) {
        answer_reader();
    } else if (!_armed) {
        arm();
    }
    return next;
}

void stream_socket::receiver::arm() noexcept {
    _armed = true;
    _socket._backend.submit(receive_op{_socket._fd}, *this);
}

void stream_socket::receiver::cancel() noexcept {
    if (_armed && !_cancelling) {
        _cancelling = true;
        _socket._backend.cancel(*this);
    }
}

// Whoever waits, or comes later, gets this instead of more bytes.
void stream_socket::receiver::end(int error) noexcept {
    if (!_end) {
        _end = error;
    }
    if (_reader) {
        answer_reader();
    }
}

void stream_socket::receiver::complete(io_result&& result) noexcept {
    const bool asked_to_end = _cancelling;
    if (!result.more) {
        _armed = false;
        _cancelling = false;
    }
    if (result.value > 0) {
        if (_reader) {
            take_reader().set_value(std::move(result.data));
        } else {
            _pieces_cost += cost_of(result.data);
            _pieces.push_back(std::move(result.data));
            if (_pieces_cost > unread_cost_max) {
                cancel();
            }
        }
    } else if (result.value != -ECANCELED || !asked_to_end) {
        end(-result.value);
    } else if (_reader && !_end) {  // The reader has caught up while the cancel was under way.
        arm();
    }
    if (!result.more) {
        _socket.close_when_idle();
    }
}

bool stream_socket::receiver::interrupt() noexcept {
    if (!_reader) {
        return false;
    }
    take_reader().set_exception(error_of(ECANCELED, "receive"));
    return true;
}

promise<temporary_buffer<char>> stream_socket::receiver::take_reader() noexcept {
    auto reader = std::move(*_reader);
    _reader.reset();
    return reader;
}

void stream_socket::receiver::answer_reader() noexcept {
    if (*_end == 0) {
        take_reader().set_value(temporary_buffer<char>());
    } else {
        take_reader().set_exception(error_of(*_end, "receive"));
    }
}

future<> stream_socket::sender::put(gather_list&& pieces) {
    MINISS_ASSERT(!_work);  // One write at a time.
    auto next = std::make_unique<work>();
    iovec* place = next->few.data();
    if (pieces.size() > next->few.size()) {
        next->many.resize(pieces.size());
        place = next->many.data();
    }
    next->message.msg_iov = place;
    next->message.msg_iovlen = pieces.size();
    for (auto& piece : pieces) {
        *place++ = {piece.get_write(), piece.size()};
        next->bytes += piece.size();
    }
    next->pieces = std::move(pieces);
    _work = std::move(next);
    auto sent = _work->writer.get_future(code_location::named("send"));
    _socket._backend.submit(send_op{_socket._fd, &_work->message}, *this);
    return sent;
}

future<> stream_socket::sender::wait_writable() {
    MINISS_ASSERT(!_work);
    _work = std::make_unique<work>();
    _work->is_for_room = true;
    auto ready = _work->writer.get_future();
    _socket._backend.submit(writable_op{_socket._fd}, *this);
    return ready;
}

void stream_socket::sender::cancel() noexcept {
    if (_work) {
        _socket._backend.cancel(*this);
    }
}

void stream_socket::sender::end() noexcept {
    _ended = true;
    cancel();
}

void stream_socket::sender::complete(io_result&& result) noexcept {
    const auto done = std::move(_work);
    const bool all = result.value >= 0 && std::size_t(result.value) == done->bytes;
    if (all || (result.value >= 0 && done->is_for_room)) {
        done->writer.set_value();
    } else if (_ended) {
        done->writer.set_exception(error_of(EPIPE, "send"));
    } else {  // With less than all of it, the connection broke in between.
        done->writer.set_exception(error_of(result.value < 0 ? -result.value : ECONNRESET, "send"));
    }
    _socket.close_when_idle();
}

void stream_socket::end_input() noexcept {
    _receiver.cancel();
    _receiver.end(ECONNABORTED);
}

// shutdown() does not wake a send that waits on a Unix socket, so that is cancelled as well.
void stream_socket::end_output() noexcept {
    (void)_backend.sockets().shutdown(_fd, SHUT_WR);
    _sender.end();
}

void stream_socket::drop_reference() noexcept {
    if (--_reference_count == 0) {
        end_input();  // Otherwise a read that still waits would start the receiving again.
        _sender.cancel();
        close_when_idle();
    }
}

void stream_socket::close_when_idle() noexcept {
    if (_reference_count == 0 && !_held_for_file && !_receiver.armed() && !_sender.armed()) {
        if (_fd >= 0) {
            _backend.sockets().close(_fd);
        }
        delete this;
    }
}

}  // namespace miniss::internal
