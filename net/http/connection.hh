// One connection of an HTTP/1.1 server.
#pragma once

#include <optional>

#include <miniss/core/expiring.hh>
#include <miniss/net/http/exchange.hh>
#include <miniss/net/http/server.hh>

namespace miniss::http::internal {

// Reads requests, has them answered in order, and sends the replies of all requests that came
// together in one go. Its deadline is one timer, itself, which is rearmed only when it fires too
// early or the next deadline is nearer, not for every request.
//
// A request is answered once all of it is here, unless its route streams: then the handler starts
// when the head is here, and reads the content through this connection while it comes in. What
// nobody reads is passed over behind the reply.
//
// It knows bytes only through its byte_stream, so whatever gives such a stream can carry it.
//
// Cost: while idle, at most 1 KiB with all that belongs to it.
class connection final : public connection_hook,
                         private content_carrier,
                         private miniss::internal::expiring {
    // What it waits for: the peer, except while a handler works.
    enum class phase : std::uint8_t { idle, head, content, answer, send, linger };

    // What only a streamed request or reply needs.
    struct streaming {
        input_stream<char> content;
        temporary_buffer<char> piece;  // Read last.
        refusal error;                 // Why there is no more to be read,
        bool broken = false;           // or that the connection itself has ended.
        bool reading = false;
        bool sending = false;
        std::optional<reply> answer;
        std::optional<content_writer> writer;
        std::optional<future<>> head_sent;  // Under way, because the writer takes its time.
    };
    class content_source;

    server& _server;
    gate::holder _inside;
    byte_stream& _peer;
    output_stream<char> _out;        // Owns the peer.
    std::unique_ptr<exchange> _now;  // Not while it is idle.
    std::unique_ptr<streaming> _streaming;
    std::unique_ptr<socket_address> _logged_peer;  // If requests are logged.
    steady_clock::time_point _deadline;
    phase _phase = phase::idle;
    bool _timed_out = false;
    std::uint64_t _request_count = 0;
    std::size_t _lingering_bytes = 0;  // Received behind our last reply.

public:
    // Counts as inside until it dies.
    connection(server& of, std::unique_ptr<byte_stream> peer, gate::holder inside);
    ~connection();

    // Serves until the connection has ended, however it did, and destroys it.
    static void run(std::unique_ptr<connection> served) noexcept;

    // The server stops: an idle connection waits a little for a request that is on its way.
    void drain() noexcept;
    // Ends at once.
    void abort() noexcept;

private:
    future<stop_iteration> step();
    parse_result read_request();
    future<stop_iteration> receive();
    future<> ask_for_content();
    future<> flush();
    future<stop_iteration> answer();
    future<reply> ask_handler();
    future<stop_iteration> answered(future<reply>&& ready);
    future<stop_iteration> send(reply&& answer, const reply_context& context);
    future<> write_head(const reply& answer, const reply_context& context);
    future<> write_whole(reply&& answer, const reply_context& context);
    future<stop_iteration> refuse(const refusal& why);
    future<stop_iteration> receive_failed(std::exception_ptr error);
    future<stop_iteration> linger();
    future<stop_iteration> linger_on();

    future<reply> start_streaming();
    future<temporary_buffer<char>> read_content();
    future<stop_iteration> receive_content();
    future<stop_iteration> content_received(future<temporary_buffer<char>> received);
    void go_on_streaming() noexcept;
    future<> wait_for_head() noexcept;
    future<> carry(gather_list&& pieces, bool now) override;
    std::optional<future<>> carry_file(const file& source, std::uint64_t offset,
                                       std::size_t size_bytes) override;
    future<> carried(future<> sent, bool (*breaks)(const std::exception_ptr&));
    future<> write_streamed(reply&& answer, const reply_context& context);
    future<> streamed(future<> written);
    future<stop_iteration> handler_failed(std::exception_ptr error);
    future<stop_iteration> upgrade(reply&& answer);
    future<> take_over();
    future<stop_iteration> finish(bool keep);
    future<stop_iteration> pass_over_content();

    reply_context context_of(const request& asked) const;
    bool may_go_on() const noexcept;
    bool can_find_next() const noexcept;
    void log(status answer, std::uint64_t content_bytes);

    void enter(phase next) noexcept;
    void set_deadline(std::chrono::milliseconds patience) noexcept;
    void arm_timer() noexcept;
    void on_timer() noexcept;
    void expire() noexcept override { on_timer(); }
};

}  // namespace miniss::http::internal
