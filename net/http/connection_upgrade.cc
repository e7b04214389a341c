// Connections that leave HTTP for another protocol.
#include <stdexcept>
#include <system_error>

#include <miniss/core/report.hh>
#include <miniss/net/http/connection.hh>

namespace miniss::http::internal {
namespace {

// What came behind the request, and then what comes.
class upgraded_source final : public data_source {
    byte_stream& _peer;
    temporary_buffer<char> _first;

public:
    upgraded_source(byte_stream& peer, temporary_buffer<char>&& first) noexcept
        : _peer(peer), _first(std::move(first)) {}
    future<temporary_buffer<char>> get() override {
        return _first.empty() ? _peer.get()
                              : make_ready_future<temporary_buffer<char>>(std::move(_first));
    }
    // What is left is dropped at the end of the connection.
    future<> close() override { return make_ready_future<>(); }
};

}  // namespace

// With content to come, nobody knows where the other protocol begins.
future<stop_iteration> connection::upgrade(reply&& answer) {
    if (!_now->reader.is_complete() || _now->asked->minor_version() == 0) {
        return handler_failed(std::make_exception_ptr(
            std::logic_error("switch_protocols() for a request that does not allow it")));
    }
    log(answer.status(), 0);
    _streaming = std::make_unique<streaming>();
    _streaming->content =
        input_stream<char>(std::make_unique<upgraded_source>(_peer, _now->reader.take_unread()));
    _streaming->answer = std::move(answer);
    enter(phase::send);
    return write_head(*_streaming->answer, context_of(*_now->asked))
        .then([this] { return flush(); })
        .then([this] { return take_over(); })
        .then([this] { return flush(); })
        .then([this] {
            _streaming.reset();
            return linger();
        });
}

// The failures of I/O are the peer's; others are bugs of the function.
future<> connection::take_over() {
    enter(phase::answer);
    return futurize_invoke(*_streaming->answer->take_over(), _streaming->content, _out)
        .then_wrapped([this](future<> ended) {
            if (!ended.failed()) {
                return ended;
            }
            auto error = ended.get_exception();
            abort();
            try {
                std::rethrow_exception(error);
            } catch (const std::system_error&) {
            } catch (...) {
                miniss::internal::report_background_failure("HTTP upgrade", error);
            }
            return make_exception_future<>(std::move(error));
        });
}

}  // namespace miniss::http::internal
