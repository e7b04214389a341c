// Sends back what it gets, on every core.
#include <csignal>
#include <cstdio>
#include <string>
#include <system_error>

#include <miniss/core/do_with.hh>
#include <miniss/core/log.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/signal.hh>
#include <miniss/net/listener.hh>
#include <miniss/smp/app_template.hh>
#include <miniss/smp/smp.hh>

using namespace miniss;

static logger log_of_echo("echo");

// A peer that resets its connection is no failure of ours.
future<> echo(connected_socket peer) {
    return do_with(peer.input(), peer.output(), [](auto& in, auto& out) {
        return repeat([&in, &out] {
                   return in.read().then([&out](temporary_buffer<char> bytes) {
                       const auto stop = bytes.empty() ? stop_iteration::yes : stop_iteration::no;
                       return out.write(std::move(bytes))
                           .then([&out] { return out.flush(); })
                           .then([stop] { return stop; });
                   });
               })
            .finally([&out] { return out.close(); })
            .handle_exception_type([](const std::system_error&) {});
    });
}

future<> accept_all(server_socket& listener) {
    return keep_doing([&listener] {
               return listener.accept().then(
                   [](connected_socket peer) { run_in_background("echo", echo(std::move(peer))); });
           })
        .handle_exception_type([](const std::system_error& error) {
            if (error.code() != std::errc::operation_canceled) {  // That is: the shard stops.
                log_of_echo.error("cannot accept: {}", error.what());
            }
        });
}

int main(int argc, char** argv) {
    std::string address = "127.0.0.1:7000";
    app_template app({.name = "echo", .description = "Sends back what it gets."});
    app.add_option("--listen", address, "ADDR:PORT to listen on");
    return app.run(argc, argv, [&address] {
        const auto local = probe_address(socket_address::parse(address));
        return smp::invoke_on_all([local] {
                   run_in_background("accept",
                                     do_with(listen(local, {.reuse_port = true}), accept_all));
               })
            .then([local] {
                std::printf("listening on %s\n", local.to_string().c_str());
                std::fflush(stdout);
                return signal::wait_for({SIGINT, SIGTERM});
            })
            .discard_result();
    });
}
