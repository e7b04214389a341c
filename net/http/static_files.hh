// Answers requests with the files of a directory.
#pragma once

#include <string>
#include <string_view>

#include <miniss/core/future.hh>
#include <miniss/core/noncopyable_function.hh>
#include <miniss/net/http/conditional.hh>
#include <miniss/net/http/file_tree.hh>
#include <miniss/net/http/reply.hh>
#include <miniss/net/http/request.hh>

namespace miniss::http {

// Calls the function it is given where that may block, such as run_in_pool() of smp. The future is
// ready when the function has returned.
using blocking_runner = noncopyable_function<future<>(noncopyable_function<void()>)>;

// GET and HEAD, whole files and parts of them, and the conditions of RFC 9110 13. Up to 16 KiB are
// read and leave together with the head; more goes out as connected_socket::send_file() does it.
// Only what the kernel would have to fetch goes through the blocking_runner.
//
// A directory is answered with its index.html, and asked for without its slash with a redirection
// to where it has one. What is not there, has `.`, `..`, an empty segment, an encoded slash or a
// backslash in its path, or would lead outside of the directory, is a 404; what may not be read, is
// no file, or is a directory without index, a 403. A path that holds NUL is a 400.
//
// A file that becomes shorter while it is sent ends the connection: nothing else is ever sent in
// its place.
//
// Lifetime: must outlive the replies that it gave.
// Shard:    belongs to one shard; use one on every shard.
class static_files {
    struct found_file;

    file_tree _tree;
    blocking_runner _run_blocking;

public:
    // Throws std::system_error if there is no such directory.
    static_files(const std::string& directory, blocking_runner run_blocking)
        : _tree(directory), _run_blocking(std::move(run_blocking)) {}

    // For a route: `path` is what stands behind its prefix, still percent-encoded, so with `"/*"`
    // it is `*asked.parameter("*")`. The request must be a GET or HEAD.
    future<reply> answer(const request& asked, std::string_view path);

private:
    future<> find(found_file& file);
    int find_now(found_file& file, patience how) const;
    int open_index(found_file& file, patience how) const;
    future<std::string> read(const open_file& from, byte_range part);
    future<reply> reply_with(const request& asked, found_file& file);
    future<reply> content_of(found_file& file, const request& asked, const range_wish& range);
};

}  // namespace miniss::http
