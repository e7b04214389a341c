#include <miniss/apps/httpd/options.hh>

#include <stdexcept>

namespace httpd {

using namespace miniss;

namespace {

void add_bounds(app_template& app, http::limits& bounds) {
    app.add_option("--request-line-bytes", bounds.request_line_bytes,
                   "The longest request line; beyond: 414");
    app.add_option("--header-bytes", bounds.header_bytes,
                   "The longest head of a request, at most 65535; beyond: 431");
    app.add_option("--header-count", bounds.header_count,
                   "How many header fields, and trailer fields; beyond: 431");
    app.add_option("--body-bytes", bounds.body_bytes,
                   "The longest content of a request; beyond: 413");
    app.add_option("--chunk-extension-bytes", bounds.chunk_extension_bytes,
                   "All chunk extensions of a content together; beyond: 413");
    app.add_option("--trailer-bytes", bounds.trailer_bytes,
                   "The longest trailer section; beyond: 431");
}

void add_patience(app_template& app, http::server_options& server) {
    app.add_option("--head-time", server.head_time,
                   "From the first byte of a request to the end of its head; beyond: 408");
    app.add_option("--content-gap-time", server.content_gap_time,
                   "Between two pieces of a request's content; beyond: 408");
    app.add_option("--idle-time", server.idle_time,
                   "Without any request; beyond, the connection is closed");
    app.add_option("--send-time", server.send_time,
                   "For a peer to read; beyond, the connection is closed");
    app.add_option("--linger-time", server.linger_time, "For a peer to close after the last reply");
    app.add_option("--drain-time", server.drain_time,
                   "At a stop, for requests on their way on idle connections");
}

void add_counts(app_template& app, http::server_options& server) {
    app.add_option("--unread-content-bytes", server.unread_content_bytes,
                   "What may be left unread of a request before its connection is closed");
    app.add_option("--requests-per-connection", server.request_count_max,
                   "After so many a connection is closed; 0: never");
    app.add_option("--connections-per-shard", server.connection_count_max,
                   "Further ones wait until others are closed");
}

void check_is_positive(std::uint64_t value, const char* name) {
    if (value == 0) {
        throw std::invalid_argument(std::string(name) + ": must not be 0");
    }
}

}  // namespace

void add_options(app_template& app, options& to) {
    app.add_option("--listen", to.address, "ADDR:PORT, [ADDR6]:PORT or unix:/path to listen on");
    app.add_option("--root", to.root, "A directory whose files are served");
    app.add_option("--access-log", to.access_log,
                   "A file to which a line is appended for each request; SIGHUP opens it anew");
    add_bounds(app, to.server.bounds);
    add_patience(app, to.server);
    add_counts(app, to.server);
}

void check(const options& given) {
    const http::limits& bounds = given.server.bounds;
    if (bounds.header_bytes > http::header_bytes_max) {
        throw std::invalid_argument("--header-bytes: at most " +
                                    std::to_string(http::header_bytes_max));
    }
    check_is_positive(bounds.request_line_bytes, "--request-line-bytes");
    check_is_positive(bounds.header_bytes, "--header-bytes");
    check_is_positive(given.server.connection_count_max, "--connections-per-shard");
}

}  // namespace httpd
