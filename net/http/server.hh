// An HTTP/1.1 server for one shard.
#pragma once

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <miniss/core/gate.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/net/http/access_log.hh>
#include <miniss/net/http/content_coding.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/limits.hh>
#include <miniss/net/http/routes.hh>
#include <miniss/net/listener.hh>

namespace miniss::http {

// How long, how much and how many.
struct server_options {
    limits bounds;
    // From the first byte of a request to the end of its head. Beyond: 408.
    std::chrono::milliseconds head_time{10'000};
    // Between two pieces of a request's content. Beyond: 408.
    std::chrono::milliseconds content_gap_time{30'000};
    // Without any request. Beyond: the connection is closed.
    std::chrono::milliseconds idle_time{60'000};
    // For a peer that does not read its replies. Beyond: the connection is closed.
    std::chrono::milliseconds send_time{60'000};
    // For a peer to close after we have finished, so that it can read our last reply.
    std::chrono::milliseconds linger_time{2'000};
    // At a stop, for a request that is on its way on a connection that looks idle.
    std::chrono::milliseconds drain_time{200};
    // What a handler may leave unread of a request's content. Beyond: the connection is closed.
    std::uint64_t unread_content_bytes = 256 * 1024;
    // After so many the connection is closed. 0: never.
    std::uint64_t request_count_max = 0;
    // Further ones wait in the kernel's backlog.
    std::size_t connection_count_max = 100'000;
};

namespace internal {
class connection;
struct exchange;
using connection_hook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
}  // namespace internal

// What turns a connection that was accepted into the bytes that the server reads and writes.
using stream_maker = noncopyable_function<std::unique_ptr<byte_stream>(connected_socket&&)>;

// Lifetime: routes and options outlive it. stop() must be ready before it dies.
// Shard:    all of it belongs to the shard that made it; use one on every shard.
class server {
    friend class internal::connection;
    using connection_list =
        boost::intrusive::list<internal::connection,
                               boost::intrusive::base_hook<internal::connection_hook>,
                               boost::intrusive::constant_time_size<false>>;

    const routes& _routes;
    server_options _options;
    server_socket _listener;
    stream_maker _make_stream;
    connection_list _connections;
    semaphore _free_slots;
    gate _work;
    date_cache _date;
    std::string_view _date_text;
    std::chrono::steady_clock::time_point _date_asked_at =
        std::chrono::steady_clock::time_point::min();
    std::vector<content_coding*> _codings;
    access_log* _log = nullptr;
    std::vector<std::unique_ptr<internal::exchange>> _spare_exchanges;
    bool _draining = false;
    // Until then even those who go on asking are served: they may have asked before the stop.
    std::chrono::steady_clock::time_point _drain_end;

public:
    server(const routes& table, const server_options& options);
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    // Before start(). Replies are encoded for those who accept it; see encode_for().
    // Lifetime: must outlive the server.
    void add_coding(content_coding& coding) { _codings.push_back(&coding); }
    // Before start(). Every reply is logged. Lifetime: must outlive the server.
    void set_access_log(access_log& log) noexcept { _log = &log; }

    // Begins to accept and to answer. At most once. The server reads and writes the bytes of its
    // sockets, or whatever `make_stream` puts over them, such as TLS; if that throws, the
    // connection is closed and the failure reported. Connections have TCP_NODELAY, but those that
    // the kernel let in before only if the listener had: see listen_options.
    void start(server_socket listener);
    void start(server_socket listener, stream_maker make_stream);

    // Stops accepting, finishes every request that has begun to come in, and closes. What is not
    // finished at `deadline` is cut off. Ready when nothing is left.
    future<> stop(std::chrono::steady_clock::time_point deadline);

    std::size_t connection_count() const noexcept;

private:
    future<> accept_all(gate::holder inside);
    future<stop_iteration> accept_one(const gate::holder& inside);
    void serve(connected_socket peer, gate::holder inside);
    std::unique_ptr<internal::exchange> take_exchange();
    void give_back(std::unique_ptr<internal::exchange> spent) noexcept;
    std::string_view date() noexcept;
    static std::int64_t unix_seconds() noexcept;
};

}  // namespace miniss::http
