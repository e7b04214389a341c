// Contents that are read and written by handlers while they come and go.
#include <cerrno>
#include <system_error>

#include <miniss/core/reactor.hh>
#include <miniss/net/http/connection.hh>
#include <miniss/net/http/content_error.hh>
#include <miniss/net/socket.hh>

namespace miniss::http::internal {

namespace {

// Whether sending a file failed because of the file. All else is the peer's doing.
bool is_of_file(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& failure) {
        switch (failure.code().value()) {
        case ENODATA:  // It has become shorter.
        case EIO:
        case EBADF:
        case EINVAL:  // Its kind cannot be sent.
        case EMFILE:  // There was no descriptor for a pipe.
        case ENFILE:
            return true;
        default:
            return false;
        }
    } catch (...) {
        return false;
    }
}

}  // namespace

class connection::content_source final : public data_source {
    connection& _connection;

public:
    explicit content_source(connection& of) noexcept : _connection(of) {}
    future<temporary_buffer<char>> get() override { return _connection.read_content(); }
    // What is left is passed over behind the reply.
    future<> close() override { return make_ready_future<>(); }
};

future<reply> connection::start_streaming() {
    _now->reader.hold_head();
    _now->ask_current();
    _streaming = std::make_unique<streaming>();
    _streaming->content = input_stream<char>(std::make_unique<content_source>(*this));
    const auto start = [this] {
        enter(phase::answer);
        return futurize_invoke(_now->route->stream, *_now->asked, _streaming->content);
    };
    if (!_out.has_unsent()) {
        return start();
    }
    // The replies to earlier requests leave before the handler can make us send anything else. If
    // the peer is gone, reading will fail too.
    return flush().then_wrapped([start](future<> flushed) {
        flushed.ignore_ready_future();
        return start();
    });
}

// Reading and writing may go on at the same time: what has come last sets the deadline.
void connection::go_on_streaming() noexcept {
    enter(_streaming->sending ? phase::send : _streaming->reading ? phase::content : phase::answer);
}

future<temporary_buffer<char>> connection::read_content() {
    _streaming->piece = temporary_buffer<char>();
    _streaming->reading = true;
    return repeat([this] { return receive_content(); }).then_wrapped([this](future<> ended) {
        _streaming->reading = false;
        go_on_streaming();
        if (ended.failed()) {
            _streaming->broken = true;
            return make_exception_future<temporary_buffer<char>>(ended.get_exception());
        }
        if (_streaming->error) {
            return make_exception_future<temporary_buffer<char>>(content_error(_streaming->error));
        }
        return make_ready_future<temporary_buffer<char>>(std::move(_streaming->piece));
    });
}

// Until there is a piece, or the end, or an error.
future<stop_iteration> connection::receive_content() {
    using result = request_reader::content_result;
    switch (_now->reader.next_content(_streaming->piece)) {
    case result::data:
    case result::complete:
        return make_ready_future<stop_iteration>(stop_iteration::yes);
    case result::failed:
        _streaming->error = _now->reader.error();
        return make_ready_future<stop_iteration>(stop_iteration::yes);
    case result::incomplete:
        break;
    }
    const auto read_on = [this] {
        enter(phase::content);
        return _peer.get().then_wrapped([this](future<temporary_buffer<char>> received) {
            return content_received(std::move(received));
        });
    };
    // Once the reply has begun, its head says enough.
    if (_streaming->writer || _now->continued || !_now->reader.awaits_continue()) {
        return read_on();
    }
    return ask_for_content().then(read_on);
}

future<stop_iteration> connection::content_received(future<temporary_buffer<char>> received) {
    if (received.failed()) {
        auto error = received.get_exception();
        if (!std::exchange(_timed_out, false)) {
            return make_exception_future<stop_iteration>(std::move(error));
        }
        _streaming->error = {status::request_timeout, "the content came too slowly"};
        return make_ready_future<stop_iteration>(stop_iteration::yes);
    }
    auto piece = received.get();
    if (piece.empty()) {
        _streaming->error = {status::bad_request, "the content is not complete (RFC 9112 8)"};
        return make_ready_future<stop_iteration>(stop_iteration::yes);
    }
    _now->reader.feed(std::move(piece));
    return make_ready_future<stop_iteration>(stop_iteration::no);
}

future<> connection::wait_for_head() noexcept {
    if (!_streaming->head_sent) {
        return make_ready_future<>();
    }
    auto sent = std::move(*_streaming->head_sent);
    _streaming->head_sent.reset();
    return sent;
}

future<> connection::carry(gather_list&& pieces, bool now) {
    auto sent = wait_for_head().then([this, pieces = std::move(pieces), now]() mutable {
        _streaming->sending = true;
        enter(phase::send);
        auto written = _out.write(std::move(pieces));
        return now ? written.then([this] { return _out.flush(); }) : std::move(written);
    });
    return carried(std::move(sent), [](const std::exception_ptr&) { return true; });
}

std::optional<future<>> connection::carry_file(const file& source, std::uint64_t offset,
                                               std::size_t size_bytes) {
    connected_socket socket = _peer.bare_socket();
    if (!socket) {
        return std::nullopt;
    }
    auto sent = wait_for_head().then(
        [this, socket = std::move(socket), &source, offset, size_bytes]() mutable {
            _streaming->sending = true;
            enter(phase::send);
            return _out.flush().then(
                [socket = std::move(socket), &source, offset, size_bytes]() mutable {
                    return socket.send_file(source, offset, size_bytes);
                });
        });
    return carried(std::move(sent),
                   [](const std::exception_ptr& error) { return !is_of_file(error); });
}

// Afterwards nothing more can be sent if the error `breaks` the connection.
future<> connection::carried(future<> sent, bool (*breaks)(const std::exception_ptr&)) {
    return sent.then_wrapped([this, breaks](future<> ended) {
        _streaming->sending = false;
        go_on_streaming();
        if (!ended.failed()) {
            return ended;
        }
        auto error = ended.get_exception();
        _streaming->broken |= breaks(error);
        return make_exception_future<>(std::move(error));
    });
}

// If the writer fails, the connection ends as it is: the peer must not take what it has for all.
future<> connection::write_streamed(reply&& answer, const reply_context& context) {
    if (_streaming == nullptr) {
        _streaming = std::make_unique<streaming>();
    }
    enter(phase::send);
    _streaming->answer = std::move(answer);
    return write_head(*_streaming->answer, context)
        .then([this, context] {
            auto& writer =
                _streaming->writer.emplace(_streaming->answer->make_writer(*this, context));
            go_on_streaming();
            auto written = futurize_invoke(_streaming->answer->stream(), writer);
            if (!written.available() && !_streaming->sending && _out.has_unsent()) {
                _streaming->head_sent = carry({}, true);
            }
            return written;
        })
        .then([this] { return _streaming->writer->finish(); })
        .then_wrapped([this](future<> written) { return streamed(std::move(written)); });
}

future<> connection::streamed(future<> written) {
    // Without a writer not even the head could be sent: the peer is gone, and nobody has failed.
    const auto& writer = _streaming->writer;
    log(_streaming->answer->status(), writer ? writer->sent_bytes() : 0);
    if (!written.failed()) {
        return wait_for_head();
    }
    auto error = written.get_exception();
    if (writer && !_streaming->broken && !_streaming->error) {
        miniss::internal::report_background_failure("HTTP content writer", error);
    }
    abort();
    return wait_for_head().then_wrapped([error](future<> sent) {
        sent.ignore_ready_future();
        return make_exception_future<>(error);
    });
}

// Behind a streamed reply.
future<stop_iteration> connection::finish(bool keep) {
    const bool failed = _streaming->error || _streaming->broken;
    _streaming.reset();
    _now->continued = false;
    if (!keep || failed) {
        return flush().then([this] { return linger(); });
    }
    enter(phase::send);
    if (_now->reader.is_complete()) {
        _now->asked.reset();
        _now->reader.consume();
    } else {
        _now->answered = true;
    }
    return make_ready_future<stop_iteration>(stop_iteration::no);
}

// What a handler has left unread stands before the next request.
future<stop_iteration> connection::pass_over_content() {
    using result = request_reader::content_result;
    _streaming.reset();
    for (;;) {
        temporary_buffer<char> piece;
        switch (_now->reader.next_content(piece)) {
        case result::data:
            _now->passed_over_bytes += piece.size();
            if (_now->passed_over_bytes <= _server._options.unread_content_bytes) {
                continue;
            }
            [[fallthrough]];
        case result::failed:
            return flush().then([this] { return linger(); });
        case result::complete:
            _now->asked.reset();
            _now->reader.consume();
            _now->answered = false;
            _now->passed_over_bytes = 0;
            return make_ready_future<stop_iteration>(stop_iteration::no);
        case result::incomplete:
            return flush().then([this] { return receive(); });
        }
    }
}

}  // namespace miniss::http::internal
