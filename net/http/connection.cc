#include <miniss/net/http/connection.hh>

#include <miniss/core/reactor.hh>
#include <miniss/net/http/content_error.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss::http::internal {

namespace {

// What a peer may still send after we have answered for the last time.
constexpr std::size_t lingering_bytes_max = 1024 * 1024;

}  // namespace

connection::connection(server& of, std::unique_ptr<byte_stream> peer, gate::holder inside)
    : _server(of), _inside(std::move(inside)), _peer(*peer), _out(std::move(peer)) {
    if (_server._log != nullptr) {
        _logged_peer = std::make_unique<socket_address>(_peer.remote_address());
    }
    enter(phase::idle);
}

connection::~connection() { _server._free_slots.signal(); }

// Not run_in_background(): this cannot fail, and an idle connection is worth the allocation.
void connection::run(std::unique_ptr<connection> served) noexcept {
    connection& self = *served;
    (void)repeat([&self] {
        return self.step();
    }).then_wrapped([served = std::move(served)](future<> ended) {
        // The peer may have reset the connection, or does not read: nobody is left to tell.
        ended.ignore_ready_future();
    });
}

future<stop_iteration> connection::step() {
    if (_phase == phase::linger) {
        return linger_on();
    }
    if (_now == nullptr) {
        return receive();
    }
    if (_now->answered) {
        return pass_over_content();
    }
    if (!_now->reader.is_untouched()) {
        switch (read_request()) {
        case parse_result::complete:
            return answer();
        case parse_result::failed:
            return refuse(_now->reader.error());
        case parse_result::incomplete:
            break;
        }
    }
    if (!_out.has_unsent() && !_now->reader.awaits_continue()) {
        return receive();
    }
    return ask_for_content().then([this] { return receive(); });
}

// Complete is also a request whose content the handler itself will read, or nobody will because
// that would take long or the peer waits for our word.
inline parse_result connection::read_request() {
    request_reader& reader = _now->reader;
    if (reader.has_head()) {
        return reader.read();
    }
    const auto head = reader.read_head();
    if (head != parse_result::complete) {
        return head;
    }
    _now->route = _server._routes.find(_now->asked.emplace(reader.current()));
    if (reader.is_complete()) {
        return head;
    }
    _now->asked.reset();  // Its bytes may move.
    const bool waits = _now->route != nullptr ? !_now->route->stream : can_find_next();
    return waits ? reader.read() : head;
}

// Sends what is due before the peer goes on: earlier replies, and the 100 that it waits for.
future<> connection::ask_for_content() {
    if (_now->reader.awaits_continue() && !std::exchange(_now->continued, true)) {
        enter(phase::send);
        return _out.write(continue_head).then([this] { return flush(); });
    }
    return flush();
}

// Whoever flushes waits for the peer to read, and not for ever.
future<> connection::flush() {
    enter(phase::send);
    return _out.flush();
}

future<stop_iteration> connection::receive() {
    if (_now != nullptr && _now->reader.is_untouched()) {
        _server.give_back(std::move(_now));
    }
    if (_now == nullptr || !_now->reader.has_begun()) {
        enter(phase::idle);
    } else {
        enter(_now->reader.has_head() ? phase::content : phase::head);
    }
    return _peer.get().then_wrapped([this](future<temporary_buffer<char>> received) {
        if (received.failed()) {
            return receive_failed(received.get_exception());
        }
        auto piece = received.get();
        if (piece.empty()) {
            return linger();
        }
        if (_now == nullptr) {
            _now = _server.take_exchange();
        }
        _now->reader.feed(std::move(piece));
        return make_ready_future<stop_iteration>(stop_iteration::no);
    });
}

// A request that takes too long is answered; a connection that was idle, or was reset, is not.
future<stop_iteration> connection::receive_failed(std::exception_ptr error) {
    if (!_timed_out) {
        return make_exception_future<stop_iteration>(std::move(error));
    }
    if (_now != nullptr && _now->reader.has_begun() && !_now->answered) {
        return refuse({status::request_timeout, "the request took too long"});
    }
    return linger();
}

inline future<stop_iteration> connection::answer() {
    ++_request_count;
    auto reply_to_come = ask_handler();
    if (reply_to_come.available()) {
        return answered(std::move(reply_to_come));
    }
    if (_streaming != nullptr) {
        return reply_to_come.then_wrapped(
            [this](future<reply> ready) { return answered(std::move(ready)); });
    }
    // The replies to earlier requests need not wait for this one. If the peer is gone, sending
    // this one will fail too.
    return flush().then_wrapped(
        [this, reply_to_come = std::move(reply_to_come)](future<> flushed) mutable {
            enter(phase::answer);
            flushed.ignore_ready_future();
            return reply_to_come.then_wrapped(
                [this](future<reply> ready) { return answered(std::move(ready)); });
        });
}

inline future<reply> connection::ask_handler() {
    if (_now->route != nullptr && _now->route->stream) {
        return start_streaming();
    }
    if (!_now->asked) {
        _now->ask_current();
    }
    if (_now->route == nullptr) {
        return make_ready_future<reply>(_server._routes.refuse(*_now->asked));
    }
    return futurize_invoke(_now->route->answer, *_now->asked);
}

future<stop_iteration> connection::answered(future<reply>&& ready) {
    if (ready.failed()) {
        return handler_failed(ready.get_exception());
    }
    reply answer = ready.get();
    if (answer.take_over() != nullptr) {
        return upgrade(std::move(answer));
    }
    if (!_server._codings.empty()) {
        try {
            encode_for(*_now->asked, answer, _server._codings);
        } catch (...) {
            return handler_failed(std::current_exception());
        }
    }
    return send(std::move(answer), context_of(*_now->asked));
}

// Not every failure of a handler is its own: reading the content may have failed.
future<stop_iteration> connection::handler_failed(std::exception_ptr error) {
    if (_streaming != nullptr && _streaming->error) {
        return refuse(_streaming->error);
    }
    if (_streaming != nullptr && _streaming->broken) {
        return make_exception_future<stop_iteration>(std::move(error));
    }
    miniss::internal::report_background_failure("HTTP handler", std::move(error));
    return send(make_error_reply(status::internal_server_error), context_of(*_now->asked));
}

future<stop_iteration> connection::send(reply&& answer, const reply_context& context) {
    const bool keep = answer.keeps_connection(context);
    if (answer.streams_content(context.method)) {
        return write_streamed(std::move(answer), context).then([this, keep] {
            return finish(keep);
        });
    }
    log(answer.status(), answer.content_to_send(context.method).size());
    _streaming.reset();
    _now->continued = false;
    if (_now->reader.is_complete() || !keep) {
        _now->asked.reset();
        _now->reader.consume();
    } else {
        _now->answered = true;
    }
    auto written = write_whole(std::move(answer), context);
    if (!written.available() || !_out.has_unsent()) {  // Otherwise it leaves with what follows.
        enter(phase::send);
    }
    if (keep) {
        return written.then([] { return stop_iteration::no; });
    }
    return written.then([this] { return flush(); }).then([this] { return linger(); });
}

future<> connection::write_head(const reply& answer, const reply_context& context) {
    return _out.write_in_place(answer.head_bytes_max(),
                               [&](char* to) { return answer.write_head(to, context); });
}

inline future<> connection::write_whole(reply&& answer, const reply_context& context) {
    const std::string_view content = answer.content_to_send(context.method);
    if (content.size() <= output_stream<char>::copied_bytes_max) {
        return _out.write_in_place(answer.head_bytes_max() + content.size(),
                                   [&](char* to) { return answer.write_whole(to, context); });
    }
    auto head_written = write_head(answer, context);
    return head_written.then([this, content = answer.release_content()]() mutable {
        return _out.write(std::move(content));
    });
}

// Nothing behind a request that was refused can be trusted, so this reply is the last one.
future<stop_iteration> connection::refuse(const refusal& why) {
    reply_context context;
    context.date = _server.date();
    context.method = _now->reader.method();
    if (!_now->asked && _now->reader.has_head()) {
        _now->ask_current();
    }
    return send(make_error_reply(why.code, why.rule), context);
}

// Closing while the peer still sends would reset the connection, and with it our last reply.
// So we only finish sending, and wait for the peer to close, for a while.
future<stop_iteration> connection::linger() {
    enter(phase::linger);
    _now.reset();
    return _out.close().then([] { return stop_iteration::no; });
}

future<stop_iteration> connection::linger_on() {
    return _peer.get().then([this](temporary_buffer<char>&& piece) {
        _lingering_bytes += piece.size();
        const bool done = piece.empty() || _lingering_bytes > lingering_bytes_max;
        return done ? stop_iteration::yes : stop_iteration::no;
    });
}

reply_context connection::context_of(const request& asked) const {
    reply_context context;
    context.date = _server.date();
    context.method = asked.method();
    context.minor_version = asked.minor_version();
    context.keep_alive = asked.keep_alive() && may_go_on() && can_find_next();
    return context;
}

// Whether the end of the current request will be found without much ado. Who was not asked for
// his content may send it or not, so that what comes next could be either (RFC 9110 10.1.1).
bool connection::can_find_next() const noexcept {
    if (_now->reader.is_complete()) {
        return true;
    }
    const bool failed = _streaming != nullptr && (_streaming->error || _streaming->broken);
    return !failed && (_now->continued || !_now->reader.awaits_continue()) &&
           _now->reader.content_bytes_to_come() <= _server._options.unread_content_bytes;
}

// While the server drains: not for ever, but what has come already is answered.
bool connection::may_go_on() const noexcept {
    const std::uint64_t count_max = _server._options.request_count_max;
    if (count_max != 0 && _request_count >= count_max) {
        return false;
    }
    return !_server._draining || engine().now() < _server._drain_end || _now->reader.has_unread();
}

void connection::log(status answer, std::uint64_t content_bytes) {
    if (_logged_peer != nullptr) {
        const request* asked = _now->asked ? &*_now->asked : nullptr;
        _server._log->add({*_logged_peer, asked, answer, content_bytes}, server::unix_seconds());
    }
}

void connection::enter(phase next) noexcept {
    // The time for a head counts from its first byte, whatever trickles in.
    if (next == phase::head && _phase == phase::head) {
        return;
    }
    _phase = next;
    const server_options& options = _server._options;
    switch (next) {
    case phase::idle:
        return set_deadline(_server._draining ? options.drain_time : options.idle_time);
    case phase::head:
        return set_deadline(options.head_time);
    case phase::content:
        return set_deadline(options.content_gap_time);
    case phase::answer:
        _deadline = steady_clock::time_point::max();
        return;
    case phase::send:
        return set_deadline(options.send_time);
    case phase::linger:
        return set_deadline(options.linger_time);
    }
}

void connection::set_deadline(std::chrono::milliseconds patience) noexcept {
    _deadline = engine().now() + patience;
    const std::chrono::nanoseconds armed_for(expiry);
    if (!miniss::internal::timer_hook::is_linked() || _deadline.time_since_epoch() < armed_for) {
        arm_timer();
    }
}

// For the deadline, whatever it was armed for. A timer<> would cost each connection 48 bytes more.
void connection::arm_timer() noexcept {
    miniss::internal::timer_hook::unlink();
    expiry = std::chrono::nanoseconds(_deadline.time_since_epoch()).count();
    local_timers().arm<steady_clock>(*this);
}

void connection::on_timer() noexcept {
    if (engine().now() < _deadline) {
        arm_timer();
        return;
    }
    if (_phase == phase::send) {
        abort();
    } else if (_peer.interrupt_get()) {
        _timed_out = true;
    } else {
        // Bytes have come in the meantime. If they do not change the deadline, it is met once they
        // were looked at.
        arm_timer();
    }
}

void connection::drain() noexcept {
    if (_phase == phase::idle) {
        enter(phase::idle);
    }
}

void connection::abort() noexcept { _peer.abort(); }

}  // namespace miniss::http::internal
