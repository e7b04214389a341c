// Greets over HTTP, on every core: GET /ann says hello to ann and how often she has come.
#include <csignal>
#include <cstdio>
#include <string>

#include <miniss/core/do_with.hh>
#include <miniss/core/signal.hh>
#include <miniss/net/http/server.hh>
#include <miniss/smp/app_template.hh>

#include "visits.hh"

using namespace miniss;

namespace {

// An HTTP server on each shard; the kernel spreads the connections.
class front_end {
    sharded<visits>& _visits;
    http::routes _table;
    http::server _server{_table, {}};

public:
    front_end(sharded<visits>& counted, const socket_address& local) : _visits(counted) {
        _table.add({http::method::get}, "/{name}", [this](const http::request& asked) {
            return greet(std::string(*asked.parameter("name")));
        });
        _server.start(listen(local, {.reuse_port = true}));
    }

    // Called by sharded<front_end>::stop(): requests in flight are answered.
    future<> stop() { return _server.stop(steady_clock::now() + std::chrono::seconds(10)); }

private:
    future<http::reply> greet(const std::string& name) {
        return count_visit(_visits, name).then([name](unsigned count) {
            std::string text = "hello " + name + ", visit " + std::to_string(count) + "\n";
            return http::reply(http::status::ok, "text/plain", std::move(text));
        });
    }
};

future<> serve(const socket_address& local) {
    return do_with(sharded<visits>(), sharded<front_end>(), [local](auto& counted, auto& fronts) {
        return counted.start()
            .then([&counted, &fronts, local] { return fronts.start(std::ref(counted), local); })
            .then([local] {
                std::printf("listening on http://%s\n", local.to_string().c_str());
                std::fflush(stdout);
                return signal::wait_for({SIGINT, SIGTERM});
            })
            .discard_result()
            .finally([&fronts] { return fronts.stop(); })
            .finally([&counted] { return counted.stop(); });
    });
}

}  // namespace

int main(int argc, char** argv) {
    std::string address = "127.0.0.1:8080";
    app_template app({.name = "@NAME@", .description = "Greets over HTTP.", .version = "0.1"});
    app.add_option("--listen", address, "ADDR:PORT to listen on");
    return app.run(argc, argv,
                   [&address] { return serve(probe_address(socket_address::parse(address))); });
}
