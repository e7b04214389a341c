// What one shard needs to serve.
#pragma once

#include <optional>

#include <miniss/apps/httpd/options.hh>
#include <miniss/net/http/access_log.hh>
#include <miniss/net/http/server.hh>
#include <miniss/net/http/static_files.hh>

namespace httpd {

// The file of the access log, for all shards.
class log_file {
    std::string _path;
    int _fd = -1;

public:
    // Nothing if `path` is empty. Throws std::system_error.
    explicit log_file(const std::string& path);
    log_file(const log_file&) = delete;
    log_file& operator=(const log_file&) = delete;
    ~log_file();

    bool is_open() const noexcept { return _fd >= 0; }
    // Appends all of it. Throws std::system_error. Any thread; may block.
    void write(const std::string& lines) const;
    // Opens it anew, as somebody may have moved it. What is written meanwhile goes to either file.
    // Throws std::system_error, and goes on with the old one. Any thread; may block.
    void reopen() const;
};

// Lifetime: `given` and `log` must outlive it. stop() must be ready before it dies.
class worker {
    std::optional<miniss::http::static_files> _files;
    std::optional<miniss::http::access_log> _log;
    miniss::http::routes _table;
    miniss::http::server _server;

public:
    // Throws std::system_error if there is no such root.
    worker(const options& given, const log_file& log);

    void start(miniss::server_socket listener) { _server.start(std::move(listener)); }
    miniss::future<> stop(std::chrono::steady_clock::time_point deadline);
};

}  // namespace httpd
