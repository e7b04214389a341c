// The bundled HTTP server: one http::server on every shard.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include <miniss/apps/httpd/options.hh>
#include <miniss/apps/httpd/worker.hh>
#include <miniss/core/signal.hh>
#include <miniss/smp/app_template.hh>
#include <miniss/smp/blocking_pool.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/smp/smp.hh>

using namespace miniss;

namespace {

// For the requests that are in flight when the server is told to stop.
constexpr std::chrono::seconds stop_time{10};

// Each shard uses only its own.
using worker_list = std::vector<std::unique_ptr<httpd::worker>>;

// A server holds a descriptor for each connection; the usual soft limit of 1024 is for programs
// that use select().
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &limit);  // If not, then with the limit that there is.
    }
}

// TCP: every shard has a socket of its own, and the kernel spreads the connections. A Unix
// address can be bound only once, so there all shards accept from one socket.
future<> start_all(worker_list& workers, const socket_address& local, const httpd::options& given,
                   const httpd::log_file& log) {
    workers[0] = std::make_unique<httpd::worker>(given, log);
    server_socket first = listen(local, {.reuse_port = smp::count > 1, .nodelay = true});
    std::vector<int> duplicates;
    for (unsigned shard = 1; local.is_unix() && shard < smp::count; ++shard) {
        duplicates.push_back(first.duplicate());
    }
    workers[0]->start(std::move(first));
    return smp::invoke_on_others(
        [&workers, &given, &log, local, duplicates = std::move(duplicates)] {
            const unsigned shard = this_shard_id();
            auto listener = local.is_unix() ? server_socket(duplicates[shard - 1])
                                            : listen(local, {.reuse_port = true, .nodelay = true});
            workers[shard] = std::make_unique<httpd::worker>(given, log);
            workers[shard]->start(std::move(listener));
        });
}

future<> stop_all(worker_list& workers) {
    return smp::invoke_on_all([&workers] {
        auto& mine = workers[this_shard_id()];
        if (mine == nullptr) {  // It could not be started.
            return make_ready_future<>();
        }
        return mine->stop(steady_clock::now() + stop_time).then([&mine] { mine.reset(); });
    });
}

void print_address(const socket_address& local) {
    const runtime_facts& facts = this_runtime();
    std::printf("httpd: listening on %s, %u shard%s, %s%s%s%s\n", local.to_string().c_str(),
                smp::count, smp::count == 1 ? "" : "s", facts.backend_name.c_str(),
                facts.why_not_io_uring.empty() ? "" : " (no io_uring: ",
                facts.why_not_io_uring.c_str(), facts.why_not_io_uring.empty() ? "" : ")");
    std::fflush(stdout);
}

// Whoever rotates logs moves the file away, and says so.
void reopen_when_told(const httpd::log_file& log) {
    if (log.is_open()) {
        handle_signal(SIGHUP, [&log] {
            run_in_background("reopen the access log", run_in_pool([&log] { log.reopen(); }));
        });
    }
}

future<> serve(const httpd::options& given, const httpd::log_file& log) {
    const auto local = probe_address(socket_address::parse(given.address));
    auto workers = std::make_unique<worker_list>(smp::count);
    auto& each = *workers;
    return start_all(each, local, given, log)
        .then([local, &log] {
            reopen_when_told(log);
            auto told_to_stop = signal::wait_for({SIGINT, SIGTERM});
            if (!told_to_stop.failed()) {
                print_address(local);  // Who reads this may stop us at once.
            }
            return told_to_stop;
        })
        .discard_result()
        .finally([&each] { return stop_all(each); })
        .finally([workers = std::move(workers), local] {
            if (local.is_unix()) {
                (void)::unlink(local.path().c_str());
            }
        });
}

}  // namespace

int main(int argc, char** argv) {
    httpd::options given;
    app_template app({.name = "httpd", .description = "The HTTP/1.1 server of miniss."});
    httpd::add_options(app, given);
    raise_descriptor_limit();
    std::optional<httpd::log_file> log;
    return app.run(argc, argv, [&given, &log] {
        httpd::check(given);
        return serve(given, log.emplace(given.access_log));
    });
}
