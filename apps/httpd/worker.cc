#include <miniss/apps/httpd/worker.hh>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>

#include <miniss/apps/httpd/handlers.hh>
#include <miniss/smp/blocking_pool.hh>

namespace httpd {

using namespace miniss;

namespace {

http::routes make_table(std::optional<http::static_files>& files) {
    if (!files) {
        return make_routes();
    }
    http::routes table;
    table.add({http::method::get}, "/*", [&files](const http::request& asked) {
        return files->answer(asked, asked.parameter("*").value_or(""));
    });
    return table;
}

int open_to_append(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        throw std::system_error(errno, std::system_category(), path);
    }
    return fd;
}

http::access_log::writer write_to(const log_file& log) {
    return [&log](std::string lines, std::uint64_t dropped_count) {
        if (dropped_count != 0) {
            std::fprintf(stderr, "httpd: access log: %llu lines were dropped\n",
                         static_cast<unsigned long long>(dropped_count));
        }
        return run_in_pool([&log, lines = std::move(lines)] { log.write(lines); });
    };
}

}  // namespace

log_file::log_file(const std::string& path) : _path(path) {
    if (!path.empty()) {
        _fd = open_to_append(path);
    }
}

log_file::~log_file() {
    if (_fd >= 0) {
        ::close(_fd);
    }
}

void log_file::write(const std::string& lines) const {
    std::string_view rest = lines;
    while (!rest.empty()) {
        const auto count = ::write(_fd, rest.data(), rest.size());
        if (count < 0 && errno != EINTR) {
            throw std::system_error(errno, std::system_category(), "write the access log");
        }
        rest.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
}

// Puts the new file where the old one was, under the same number: who writes has either of them.
void log_file::reopen() const {
    const int fd = open_to_append(_path);
    const int error = ::dup3(fd, _fd, O_CLOEXEC) < 0 ? errno : 0;
    ::close(fd);
    if (error != 0) {
        throw std::system_error(error, std::system_category(), _path);
    }
}

worker::worker(const options& given, const log_file& log) : _server(_table, given.server) {
    if (!given.root.empty()) {
        _files.emplace(given.root, [](noncopyable_function<void()> work) {
            return run_in_pool(std::move(work));
        });
    }
    _table = make_table(_files);
    if (log.is_open()) {
        _server.set_access_log(_log.emplace(write_to(log)));
    }
}

future<> worker::stop(std::chrono::steady_clock::time_point deadline) {
    return _server.stop(deadline).then(
        [this] { return _log ? _log->stop() : make_ready_future<>(); });
}

}  // namespace httpd
