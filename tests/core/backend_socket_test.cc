// Accepting, connecting, cancelling, waiting and waking, on every backend.
#include <algorithm>
#include <cerrno>
#include <vector>

#include <netinet/tcp.h>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/tested_backend.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("an accept_op brings one connection after the other until it is cancelled", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const int listener = backend.listen();
    recorder& accepted = backend.start(accept_op{listener});
    for (std::size_t count = 1; count <= 20; ++count) {
        const int client = backend.open_tcp();
        recorder& connected = backend.start(backend.connect_to(client, listener));
        CHECK(connected.values.empty());  // Never inline.
        backend.finish(connected);
        CHECK(connected.last() == 0);
        backend.run_until([&] { return accepted.values.size() == count; });
        recorder& received = backend.start(receive_op{backend.keep(accepted.last())});
        backend.send(client, "hi");
        backend.run_until([&] { return received.bytes == "hi"; });
        CHECK(!accepted.done);
    }
    backend->cancel(accepted);
    CHECK(!accepted.done);
    backend.finish(accepted);
    CHECK(accepted.last() == -ECANCELED);
    CHECK(accepted.values.size() == 21);
}

TEST_CASE("an accept_op brings those who were waiting before it", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const int listener = backend.listen();
    for (int i = 0; i < 20; ++i) {
        backend.finish(backend.start(backend.connect_to(backend.open_tcp(), listener)));
    }
    recorder& accepted = backend.start(accept_op{listener});
    backend.run_until([&] { return accepted.values.size() == 20; });
    for (const int fd : accepted.values) {
        backend.keep(fd);
    }
}

TEST_CASE("without descriptors an accept_op fails with EMFILE, and who waits comes later",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const int listener = backend.listen();
    const int client = backend.open_tcp();
    backend.forbid_descriptors();
    recorder& accepted = backend.start(accept_op{listener});
    backend.settle();
    recorder& connected = backend.start(backend.connect_to(client, listener));
    backend.run_until([&] { return connected.done && accepted.done; });
    const int opened = backend->sockets().open(AF_INET, SOCK_STREAM);
    backend.allow_descriptors();
    CHECK(connected.last() == 0);
    CHECK(accepted.values == std::vector<int>{-EMFILE});
    CHECK(opened == -EMFILE);
    recorder& again = backend.start(accept_op{listener});
    backend.run_until([&] { return !again.values.empty(); });
    backend.keep(again.last());
}

TEST_CASE("sockets().accept() takes what is left in the backlog, without waiting", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const int listener = backend.listen();
    recorder& accepted = backend.start(accept_op{listener});
    backend.settle();
    backend->cancel(accepted);
    backend.finish(accepted);
    for (int i = 0; i < 3; ++i) {
        backend.finish(backend.start(backend.connect_to(backend.open_tcp(), listener)));
    }
    backend.settle();
    for (int i = 0; i < 3; ++i) {
        const int fd = backend.keep(backend->sockets().accept(listener));
        recorder& received = backend.start(receive_op{fd});
        backend.settle();
        CHECK(received.values.empty());  // It would have failed if it did not wait.
    }
    CHECK(backend->sockets().accept(listener) == -EAGAIN);
    recorder& again = backend.start(accept_op{listener});
    backend.settle();
    CHECK(again.values.empty());
}

TEST_CASE("an accept_op on a socket that does not listen fails", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    recorder& accepted = backend.start(accept_op{backend.open_tcp()});
    backend.finish(accepted);
    CHECK(accepted.last() == -EINVAL);
}

TEST_CASE("a connect_op to a port where nobody listens is refused", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const int listener = backend.listen();
    const connect_op op = backend.connect_to(backend.open_tcp(), listener);
    backend.close(listener);
    recorder& connected = backend.start(op);
    backend.finish(connected);
    CHECK(connected.values == std::vector<int>{-ECONNREFUSED});
}

TEST_CASE("both ends know their addresses", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [client, server] = backend.tcp_pair();
    const auto port_of = [&](int fd, auto call) {
        sockaddr_in address{};
        socklen_t address_bytes = sizeof address;
        CHECK((backend->sockets().*call)(fd, reinterpret_cast<sockaddr*>(&address),
                                         &address_bytes) == 0);
        CHECK(address_bytes == sizeof address);
        CHECK(address.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
        return address.sin_port;
    };
    CHECK(port_of(client, &socket_calls::local_address) ==
          port_of(server, &socket_calls::remote_address));
    CHECK(port_of(server, &socket_calls::local_address) ==
          port_of(client, &socket_calls::remote_address));
    CHECK(port_of(client, &socket_calls::local_address) != 0);
}

TEST_CASE("an address is taken, unless all who use it share it", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const bool share = GENERATE(false, true);
    socket_calls& sockets = backend->sockets();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* untyped = reinterpret_cast<sockaddr*>(&address);
    socklen_t address_bytes = sizeof address;
    const int first = backend.open_tcp();
    const int second = backend.open_tcp();
    if (share) {
        CHECK(sockets.set_option(first, SOL_SOCKET, SO_REUSEPORT, 1) == 0);
        CHECK(sockets.set_option(second, SOL_SOCKET, SO_REUSEPORT, 1) == 0);
    }
    REQUIRE(sockets.bind(first, untyped, address_bytes) == 0);
    REQUIRE(sockets.listen(first, 10) == 0);
    REQUIRE(sockets.local_address(first, untyped, &address_bytes) == 0);
    CHECK(sockets.bind(second, untyped, address_bytes) == (share ? 0 : -EADDRINUSE));
}

TEST_CASE("options of TCP do not exist on Unix sockets", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, second] = backend.unix_pair();
    CHECK(backend->sockets().set_option(first, IPPROTO_TCP, TCP_NODELAY, 1) == -EOPNOTSUPP);
    const auto [client, server] = backend.tcp_pair();
    CHECK(backend->sockets().set_option(client, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
}

TEST_CASE("a readable_op waits for bytes, the end, or a connection to accept", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = backend.unix_pair();
    recorder& readable = backend.start(readable_op{reader});
    backend.settle();
    CHECK(!readable.done);
    SECTION("bytes") { backend.send(writer, "x"); }
    SECTION("the end") { backend.close(writer); }
    backend.finish(readable);
    CHECK(readable.last() >= 0);
    // It still is.
    backend.finish(backend.start(readable_op{reader}));

    const int listener = backend.listen();
    recorder& acceptable = backend.start(readable_op{listener});
    backend.settle();
    CHECK(!acceptable.done);
    backend.finish(backend.start(backend.connect_to(backend.open_tcp(), listener)));
    backend.finish(acceptable);
}

TEST_CASE("each operation ends when it is cancelled, but not inline", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const bool all = GENERATE(false, true);
    // Or before the kernel has seen it.
    const bool settled = GENERATE(false, true);
    const auto cancelled = [&](recorder& record) {
        if (settled) {
            backend.settle();
        }
        CHECK(!record.done);
        if (all) {
            backend->cancel_all();
        } else {
            backend->cancel(record);
            backend->cancel(record);
        }
        CHECK(!record.done);
        backend.finish(record);
        CHECK(backend->operations_in_flight() == 0);
        return record.last();
    };
    SECTION("accept") {
        CHECK(cancelled(backend.start(accept_op{backend.listen()})) == -ECANCELED);
    }
    SECTION("receive") {
        const auto [first, second] = backend.tcp_pair();
        CHECK(cancelled(backend.start(receive_op{first})) == -ECANCELED);
    }
    SECTION("readable") {
        const auto [first, second] = backend.unix_pair();
        CHECK(cancelled(backend.start(readable_op{first})) == -ECANCELED);
    }
    SECTION("send") {
        const auto [first, second] = backend.tcp_pair();
        std::vector<char> bytes(backend.too_much_bytes());
        iovec piece{bytes.data(), bytes.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        const int sent = cancelled(backend.start(send_op{first, &message}));
        CHECK((sent == -ECANCELED || (sent > 0 && static_cast<std::size_t>(sent) < bytes.size())));
    }
}

TEST_CASE("a connect_op that waits ends when it is cancelled", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const int listener = backend.listen(1);
    std::vector<recorder*> attempts;
    for (int i = 0; i < 8; ++i) {  // More than the backlog takes.
        attempts.push_back(&backend.start(backend.connect_to(backend.open_tcp(), listener)));
    }
    backend.settle();
    const auto is_done = [](const recorder* each) { return each->done; };
    CHECK(std::any_of(attempts.begin(), attempts.end(), is_done));
    REQUIRE(!std::all_of(attempts.begin(), attempts.end(), is_done));
    for (recorder* each : attempts) {
        backend->cancel(*each);
    }
    backend.run_until([&] { return backend->operations_in_flight() == 0; });
    CHECK(std::any_of(attempts.begin(), attempts.end(),
                      [](const recorder* each) { return each->last() == -ECANCELED; }));
    for (const recorder* each : attempts) {
        CHECK((each->last() == 0 || each->last() == -ECANCELED));
        CHECK(each->values.size() == 1);
    }
}

TEST_CASE("cancelling what is complete does nothing, also to the next operation of the same",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    REQUIRE(backend->sockets().shutdown(writer, SHUT_WR) == 0);
    backend.finish(received);
    backend->cancel(received);
    recorder& readable = received;
    readable.done = false;
    const auto [other, far] = backend.unix_pair();
    backend->submit(readable_op{other}, readable);
    backend.settle();
    CHECK(!readable.done);
    CHECK(backend->operations_in_flight() == 1);
}

TEST_CASE("complete() may cancel others, and itself while more is to come", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, first_writer] = backend.unix_pair();
    const auto [second, second_writer] = backend.unix_pair();
    recorder& one = backend.start(receive_op{first});
    recorder& other = backend.start(receive_op{second});
    one.then = [&] {
        backend->cancel(other);
        backend->cancel(one);
    };
    backend.send(first_writer, "x");
    backend.run_until([&] { return one.done && other.done; });
    CHECK(one.values == std::vector<int>{1, -ECANCELED});
    CHECK(other.values == std::vector<int>{-ECANCELED});
}

TEST_CASE("wait_until() ends at its deadline, not before", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    for (const auto patience : {0us, 1us, 2000us}) {
        const auto deadline = backend->now() + patience;
        while (backend->now() < deadline) {  // It may end early, but then waits again.
            backend->wait_until(deadline);
        }
        CHECK(backend->now() >= deadline);
    }
    backend->wait_until(backend->now() - 1s);
    CHECK(received.values.empty());
}

TEST_CASE("wake() ends the next wait_until()", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    backend->poll();
    for (int i = 0; i < 3; ++i) {
        backend->wake();
        backend->wake();
        backend->wait_until(steady_clock::time_point::max());
    }
    SUCCEED("it did not hang");
}

TEST_CASE("poll() tells whether anything was completed", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = backend.unix_pair();
    recorder& readable = backend.start(readable_op{reader});
    backend.settle();
    CHECK(!backend->poll());
    backend.send(writer, "x");
    bool told = readable.done;
    while (!readable.done) {
        told = backend->poll();
        if (!readable.done) {
            backend.settle();
            told = readable.done;
        }
    }
    CHECK(told);
    CHECK(!backend->poll());
}
