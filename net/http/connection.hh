// One connection of an HTTP/1.1 server.
#pragma once

#include <optional>

#include <miniss/net/http/request_reader.hh>
#include <miniss/net/http/server.hh>
#include <miniss/timer/timer.hh>

namespace miniss::http::internal {

// Reads requests, has them answered in order, and sends the replies of all requests that came
// together in one go. Its deadline is one timer, which is rearmed only when it fires too early or
// the next deadline is nearer, not for every request.
class connection : public connection_hook {
    // What it waits for: the peer, except while a handler works.
    enum class phase : std::uint8_t { idle, head, content, answer, send, linger };

    server& _server;
    connected_socket _socket;
    input_stream<char> _in;
    output_stream<char> _out;
    request_reader _reader;
    std::optional<request> _asked;  // What is being answered.
    timer<> _timer;
    steady_clock::time_point _deadline;
    phase _phase = phase::idle;
    bool _timed_out = false;
    bool _continued = false;  // The 100 of this request was sent.

public:
    connection(server& of, connected_socket peer);

    // Ready when the connection has ended, however it did.
    future<> serve() noexcept;

    // The server stops: an idle connection waits a little for a request that is on its way.
    void drain() noexcept;
    // Ends at once.
    void abort() noexcept;

private:
    future<stop_iteration> step();
    future<stop_iteration> receive();
    future<stop_iteration> answer();
    future<stop_iteration> answered(future<reply> ready);
    future<stop_iteration> send(reply&& answer, const reply_context& context);
    future<> write_content(reply&& answer, method asked);
    future<> write_head(const reply& answer, const reply_context& context);
    future<stop_iteration> refuse(const refusal& why);
    future<stop_iteration> receive_failed(std::exception_ptr error);
    future<> linger();
    reply_context context_of(const request& asked) const;
    bool may_go_on() const noexcept;
    std::string_view date() const;

    void enter(phase next) noexcept;
    void set_deadline(std::chrono::milliseconds patience) noexcept;
    void on_timer() noexcept;
};

}  // namespace miniss::http::internal
