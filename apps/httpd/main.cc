// The bundled HTTP server: one http::server on every shard.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <miniss/apps/httpd/handlers.hh>
#include <miniss/core/signal.hh>
#include <miniss/net/http/server.hh>
#include <miniss/smp/app_template.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/smp/smp.hh>

using namespace miniss;

namespace {

// For the requests that are in flight when the server is told to stop.
constexpr std::chrono::seconds stop_time{10};

// What one shard needs to serve.
struct worker {
    http::routes table = httpd::make_routes();
    http::server server{table, {}};
};

// Each shard uses only its own.
using worker_list = std::vector<std::unique_ptr<worker>>;

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
future<> start_all(worker_list& workers, const socket_address& local) {
    server_socket first = listen(local, {.reuse_port = smp::count > 1});
    std::vector<int> duplicates;
    for (unsigned shard = 1; local.is_unix() && shard < smp::count; ++shard) {
        duplicates.push_back(first.duplicate());
    }
    workers[0] = std::make_unique<worker>();
    workers[0]->server.start(std::move(first));
    return smp::invoke_on_others([&workers, local, duplicates = std::move(duplicates)] {
        const unsigned shard = this_shard_id();
        auto listener = local.is_unix() ? server_socket(duplicates[shard - 1])
                                        : listen(local, {.reuse_port = true});
        workers[shard] = std::make_unique<worker>();
        workers[shard]->server.start(std::move(listener));
    });
}

future<> stop_all(worker_list& workers) {
    return smp::invoke_on_all([&workers] {
        auto& mine = workers[this_shard_id()];
        if (mine == nullptr) {  // It could not be started.
            return make_ready_future<>();
        }
        return mine->server.stop(steady_clock::now() + stop_time).then([&mine] { mine.reset(); });
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

future<> serve(const std::string& address) {
    const auto local = probe_address(socket_address::parse(address));
    auto workers = std::make_unique<worker_list>(smp::count);
    auto& each = *workers;
    return start_all(each, local)
        .then([local] {
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
    std::string address = "127.0.0.1:8080";
    app_template app({.name = "httpd", .description = "The HTTP/1.1 server of miniss."});
    app.add_option("--listen", address, "ADDR:PORT, [ADDR6]:PORT or unix:/path to listen on");
    raise_descriptor_limit();
    return app.run(argc, argv, [&address] { return serve(address); });
}
