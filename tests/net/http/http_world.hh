// A server and its clients on one shard, simulated or real: for tests of what goes over the wire.
#pragma once

#include <string>
#include <vector>

#include <miniss/core/when_all.hh>
#include <miniss/net/http/server.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

namespace miniss::http {

struct received_reply {
    unsigned code = 0;
    std::string head;
    std::string content;

    bool has(std::string_view line) const {
        return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
    }
    bool closes() const { return has("Connection: close"); }
};

// Takes the first reply off `bytes` if it is there as a whole; else code is 0.
inline received_reply take_reply(std::string_view& bytes, bool head_only = false) {
    received_reply reply;
    const auto head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string::npos) {
        return reply;
    }
    const std::string head(bytes.substr(0, head_end + 4));
    const auto length_at = head.find("\r\nContent-Length: ");
    const std::size_t content_bytes =
        length_at == std::string::npos || head_only ? 0 : std::stoul(head.substr(length_at + 18));
    if (bytes.size() < head.size() + content_bytes) {
        return reply;
    }
    REQUIRE(head.starts_with("HTTP/1.1 "));
    reply.code = static_cast<unsigned>(std::stoul(head.substr(9)));
    reply.head = head;
    reply.content = bytes.substr(head.size(), content_bytes);
    bytes.remove_prefix(head.size() + content_bytes);
    return reply;
}
inline received_reply take_reply(std::string& bytes, bool head_only = false) {
    std::string_view rest = bytes;
    auto reply = take_reply(rest, head_only);
    bytes.erase(0, bytes.size() - rest.size());
    return reply;
}

// One connection to the server, from the same shard.
template <typename Shard>
class http_client {
    Shard& _shard;
    connected_socket _socket;
    input_stream<char> _in;
    output_stream<char> _out;
    std::string _unread;

public:
    http_client(Shard& shard, const socket_address& server)
        : _shard(shard),
          _socket(shard.run([&] { return connect(server); })),
          _in(_socket.input()),
          _out(_socket.output()) {}

    // Ready once the kernel has it all.
    void send(std::string_view bytes) {
        _shard.run([&] { return _out.write(bytes).then([this] { return _out.flush(); }); });
    }
    void send_get(const std::string& path) { send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"); }
    void send_post(const std::string& path, const std::string& content) {
        send("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " +
             std::to_string(content.size()) + "\r\n\r\n" + content);
    }

    // Waits for the next reply; its code is 0 if the connection ends before.
    received_reply reply(bool head_only = false) {
        received_reply found = take_reply(_unread, head_only);
        while (found.code == 0) {
            const auto piece = _shard.run([this] { return _in.read(); });
            if (piece.empty()) {
                return found;
            }
            _unread.append(piece.view());
            found = take_reply(_unread, head_only);
        }
        return found;
    }
    received_reply get(const std::string& path) {
        send_get(path);
        return reply();
    }
    received_reply post(const std::string& path, const std::string& content) {
        send_post(path, content);
        return reply();
    }

    // What comes up to the end of the connection.
    std::string rest() {
        return std::exchange(_unread, {}) + _shard.run([this] { return read_to_end(_in); });
    }
    bool ended() { return rest().empty(); }

    // For what has to go on at the same time.
    input_stream<char>& input() noexcept { return _in; }
    output_stream<char>& output() noexcept { return _out; }
    void finish() noexcept { _socket.shutdown_output(); }
    void close() {
        _in = {};
        _out = {};
        _socket = {};
    }
};

template <typename Shard>
struct http_world {
    Shard shard;
    routes table;
    server_options options;
    std::optional<server> served;
    socket_address address;
    std::string uploaded;                 // By the last POST /upload.
    std::vector<promise<reply>> pending;  // What GET /wait was not answered with yet.
    std::optional<future<>> stopped;

    template <typename Where>
    explicit http_world(Where where, const server_options& its_options = {})
        : shard(std::move(where)), options(its_options) {
        add_routes();
        served.emplace(table, options);
        auto listener = listen(socket_address::parse("127.0.0.1:0"));
        address = listener.local_address();
        served->start(std::move(listener));
    }
    ~http_world() {
        if (served) {
            answer_all();
            if (!stopped) {
                begin_stop(std::chrono::seconds(0));
            }
            finish_stop();
        }
    }

    http_client<Shard> client() { return http_client<Shard>(shard, address); }

    static steady_clock::time_point now() { return local_timers().now<steady_clock>(); }

    void begin_stop(std::chrono::milliseconds patience) {
        stopped = served->stop(now() + patience);
    }
    // Waits until the server has stopped.
    void finish_stop() {
        shard.run([&] { return std::move(*stopped); });
        CHECK(served->connection_count() == 0);
        served.reset();
    }

    void answer_all() {
        for (auto& each : std::exchange(pending, {})) {
            each.set_value(reply(status::ok, "text/plain", "at last"));
        }
    }

    // Runs the shard until so many requests wait for answer_all(), or connections are left.
    void run_until_pending(std::size_t count) {
        shard.run([&] { return wait_until([this, count] { return pending.size() == count; }); });
    }
    void run_until_connected(std::size_t count) {
        shard.run([&] {
            return wait_until([this, count] { return served->connection_count() == count; });
        });
    }

private:
    std::string _large;  // What was asked for last: making it takes longer than sending it.

    template <typename Done>
    static future<> wait_until(Done done) {
        return do_until(done, [] { return sleep(std::chrono::milliseconds(2)); });
    }

    void add_routes() {
        table.add({method::get}, "/", [](const request&) {
            return make_ready_future<reply>(reply::constant(status::ok, "text/plain", "hello"));
        });
        table.add_any_method("/echo", [](const request& asked) {
            return make_ready_future<reply>(
                reply(status::ok, "text/plain", std::string(asked.content)));
        });
        table.add({method::get}, "/large", [this](const request& asked) {
            const auto size = std::stoul(std::string(asked.query()));
            if (_large.size() != size) {
                _large = distinct_bytes(size);
            }
            return make_ready_future<reply>(reply(status::ok, "text/plain", _large));
        });
        table.add({method::get}, "/throw",
                  [](const request&) -> future<reply> { throw std::runtime_error("a bug"); });
        table.add({method::get}, "/fail", [](const request&) {
            return make_exception_future<reply>(std::runtime_error("a failure"));
        });
        table.add({method::get}, "/wait", [this](const request&) {
            pending.emplace_back();
            return pending.back().get_future();
        });
        add_streaming_routes();
        table.add({method::get}, "/close", [](const request&) {
            return make_ready_future<reply>(
                std::move(reply(status::ok, "text/plain", "bye").close_connection()));
        });
    }

    void add_streaming_routes() {
        // What came, in how many pieces, with which trailers.
        table.add_streaming(
            {method::post}, "/upload", [this](const request& asked, input_stream<char>& content) {
                uploaded.clear();
                return repeat([this, &content] {
                           return content.read().then([this](temporary_buffer<char>&& piece) {
                               uploaded.append(piece.view());
                               return piece.empty() ? stop_iteration::yes : stop_iteration::no;
                           });
                       })
                    .then([this, &asked] {
                        std::string trailers;
                        for (const auto [name, value] : asked.trailers()) {
                            trailers.append(name).append("=").append(value).append(";");
                        }
                        return reply(status::ok, "text/plain",
                                     std::to_string(uploaded.size()) + trailers);
                    });
            });
        table.add_streaming({method::post}, "/unread", [](const request&, input_stream<char>&) {
            return make_ready_future<reply>(reply(status::ok, "text/plain", "unread"));
        });
        table.add_streaming({method::post}, "/unread-large",
                            [](const request&, input_stream<char>&) {
                                return make_ready_future<reply>(
                                    reply(status::ok, "text/plain", std::string(100'000, 'x')));
                            });
        table.add_streaming({method::post}, "/unread-until",
                            [this](const request&, input_stream<char>&) {
                                pending.emplace_back();
                                return pending.back().get_future();
                            });
        table.add_streaming(
            {method::post}, "/through", [](const request&, input_stream<char>& content) {
                return make_ready_future<reply>(
                    reply::streamed(status::ok, "text/plain", [&content](content_writer& out) {
                        return repeat([&content, &out] {
                            return content.read().then([&out](temporary_buffer<char>&& piece) {
                                const auto stop =
                                    piece.empty() ? stop_iteration::yes : stop_iteration::no;
                                return out.write(std::move(piece))
                                    .then([&out] { return out.flush(); })
                                    .then([stop] { return stop; });
                            });
                        });
                    }));
            });
    }
};

// So much is not taken by the network before the other side has read any of it.
template <typename Shard>
constexpr std::size_t too_much_bytes = std::is_same_v<Shard, test_shard> ? 1'000'000 : 40'000'000;

// The worlds of a TEMPLATE_TEST_CASE over test_shard and real_shard: seeds, or backends.
template <typename Shard>
auto places() {
    if constexpr (std::is_same_v<Shard, test_shard>) {
        std::vector<std::uint64_t> seeds;
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            seeds.push_back(seed);
        }
        return seeds;
    } else {
        return backends_to_test();
    }
}

}  // namespace miniss::http
