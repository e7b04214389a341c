// A line for each request, written without holding anybody up.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <miniss/core/future.hh>
#include <miniss/core/noncopyable_function.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/status.hh>
#include <miniss/net/socket_address.hh>

namespace miniss::http {

class request;

// What is logged about a request.
struct access_record {
    socket_address peer = {};
    const request* asked = nullptr;  // Null if it could not be understood.
    status answer = status::ok;
    std::uint64_t content_bytes = 0;  // Of the reply.
};

// Appends to `to` a line of the common log format:
//     192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "GET /path HTTP/1.1" 200 1234
// In the request, quotes, backslashes and bytes that are not visible ASCII appear as \xHH, so that
// nobody can forge lines or make a terminal do things. What is not known is a hyphen.
void append_access_line(std::string& to, const access_record& record, std::int64_t unix_seconds);

// Collects lines, and hands them on while it collects further ones. What comes while there are
// `unwritten_bytes_max` already is dropped, and counted.
//
// Lifetime: servers that use it must have stopped before stop(), which must be ready before it
// dies. Shard:    belongs to one shard; use one on every shard. Cost:     a line is formatted into
// a string; nothing waits.
class access_log {
public:
    // Writes lines, and tells that `dropped_count` ones are missing before them. One call at a
    // time. What it fails with is reported, and its lines count as dropped.
    using writer = noncopyable_function<future<>(std::string lines, std::uint64_t dropped_count)>;

private:
    writer _write;
    std::size_t _unwritten_bytes_max;
    std::string _lines;
    std::uint64_t _line_count = 0;  // In _lines.
    std::uint64_t _unreported_count = 0;
    std::uint64_t _dropped_count = 0;
    future<> _writing = make_ready_future<>();

public:
    static constexpr std::size_t usual_unwritten_bytes = 1024 * 1024;

    explicit access_log(writer write, std::size_t unwritten_bytes_max = usual_unwritten_bytes)
        : _write(std::move(write)), _unwritten_bytes_max(unwritten_bytes_max) {}

    void add(const access_record& record, std::int64_t unix_seconds);

    // All that were dropped so far.
    std::uint64_t dropped_count() const noexcept { return _dropped_count; }

    // Ready once all lines are written.
    future<> stop() noexcept;

private:
    void write_on() noexcept;
    void drop(std::uint64_t line_count) noexcept;
};

}  // namespace miniss::http
