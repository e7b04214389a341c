// Receiving and sending, on every backend: io_uring, epoll and the simulated one.
#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/tested_backend.hh>

using namespace miniss;

namespace {

std::string numbered_bytes(std::size_t size_bytes) {
    std::string bytes(size_bytes, '\0');
    for (std::size_t i = 0; i < size_bytes; ++i) {
        bytes[i] = static_cast<char>(i * 31 + i / 251);
    }
    return bytes;
}

// A message of pieces of `bytes` that end at the given places.
struct gathered {
    std::vector<iovec> pieces;
    msghdr message{};

    gathered(const std::string& bytes, const std::vector<std::size_t>& ends) {
        std::size_t begin = 0;
        for (const std::size_t end : ends) {
            pieces.push_back({const_cast<char*>(bytes.data()) + begin, end - begin});
            begin = end;
        }
        message.msg_iov = pieces.data();
        message.msg_iovlen = pieces.size();
    }
};

bool is_broken(int result) { return result == -EPIPE || result == -ECONNRESET; }

}  // namespace

TEST_CASE("a receive_op brings what arrives, piece by piece, and then the end", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    CHECK(backend->operations_in_flight() == 1);
    backend.send(writer, "hello ");
    backend.run_until([&] { return received.bytes == "hello "; });
    CHECK(!received.done);
    backend.send(writer, "world");
    backend.run_until([&] { return received.bytes == "hello world"; });
    CHECK(backend->operations_in_flight() == 1);
    backend.close(writer);
    backend.finish(received);
    CHECK(received.last() == 0);
    CHECK(received.bytes == "hello world");
    CHECK(backend->operations_in_flight() == 0);
}

TEST_CASE("a receive_op brings what was there before it, and the end at once", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    backend.send(writer, "early");
    backend.close(writer);
    backend.settle();
    recorder& received = backend.start(receive_op{reader});
    CHECK(received.values.empty());  // Never inline.
    backend.finish(received);
    CHECK(received.bytes == "early");
    CHECK(received.last() == 0);
}

TEST_CASE("after a half-close the other direction goes on", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, second] = backend.tcp_pair();
    recorder& at_second = backend.start(receive_op{second});
    REQUIRE(backend->sockets().shutdown(first, SHUT_WR) == 0);
    backend.finish(at_second);
    CHECK(at_second.last() == 0);
    recorder& at_first = backend.start(receive_op{first});
    CHECK(backend.send(second, "answer") == 6);
    backend.run_until([&] { return at_first.bytes == "answer"; });
    CHECK(is_broken(backend.send(first, "more")));
}

TEST_CASE("shutting the own input down ends a receive_op", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, second] = backend.tcp_pair();
    recorder& received = backend.start(receive_op{first});
    backend.settle();
    REQUIRE(backend->sockets().shutdown(first, SHUT_RD) == 0);
    backend.finish(received);
    CHECK(received.last() == 0);
}

TEST_CASE("a connection that is closed with unread bytes is reset", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, second] = backend.tcp_pair();
    recorder& received = backend.start(receive_op{first});
    backend.send(first, "never read");
    backend.settle();
    backend.close(second);
    backend.finish(received);
    CHECK(received.last() == -ECONNRESET);
    CHECK(is_broken(backend.send(first, "more")));
}

TEST_CASE("a send_op sends one piece, many pieces, and empty ones, in order", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = backend.unix_pair();
    const std::string bytes = numbered_bytes(2000);
    std::vector<std::size_t> ends{bytes.size()};
    SECTION("one") {}
    SECTION("a hundred and some") {
        ends.resize(125);
        std::iota(ends.begin(), ends.end(), 1);
        ends.push_back(bytes.size());
    }
    SECTION("as many as one system call takes (IOV_MAX)") {
        ends.resize(1023);
        std::iota(ends.begin(), ends.end(), 1);
        ends.push_back(bytes.size());
    }
    SECTION("with empty ones") { ends = {0, 0, 700, 700, 700, 2000, 2000}; }
    gathered all(bytes, ends);
    recorder& received = backend.start(receive_op{reader});
    recorder& sent = backend.start(send_op{writer, &all.message});
    CHECK(sent.values.empty());  // Never inline.
    backend.finish(sent);
    CHECK(sent.values == std::vector<int>{2000});
    backend.run_until([&] { return received.bytes.size() >= bytes.size(); });
    CHECK(received.bytes == bytes);
}

TEST_CASE("a send_op without bytes completes with 0", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = backend.unix_pair();
    const std::string nothing;
    gathered none(nothing, GENERATE(std::vector<std::size_t>{}, std::vector<std::size_t>{0},
                                    std::vector<std::size_t>{0, 0}));
    recorder& sent = backend.start(send_op{writer, &none.message});
    backend.finish(sent);
    CHECK(sent.values == std::vector<int>{0});
}

TEST_CASE("a send that is larger than all buffers completes once, when a slow reader has come",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    const std::string bytes = numbered_bytes(backend.too_much_bytes());
    const std::size_t half = bytes.size() / 2;
    gathered all(bytes, GENERATE_REF(std::vector<std::size_t>{bytes.size()},
                                     std::vector<std::size_t>{1000, half, bytes.size()}));
    recorder& sent = backend.start(send_op{writer, &all.message});
    backend.settle();
    CHECK(sent.values.empty());
    CHECK(backend->operations_in_flight() == 1);
    recorder& received = backend.start(receive_op{reader});
    backend.run_until([&] { return received.bytes.size() >= bytes.size(); });
    backend.finish(sent);
    CHECK(sent.values == std::vector<int>{static_cast<int>(bytes.size())});
    CHECK((received.bytes == bytes));
}

TEST_CASE("a send that breaks in between completes with what it had sent, or with the error",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    const std::string bytes = numbered_bytes(backend.too_much_bytes());
    gathered all(bytes, {bytes.size()});
    recorder& sent = backend.start(send_op{writer, &all.message});
    backend.settle();
    backend.close(reader);
    backend.finish(sent);
    CHECK(sent.values.size() == 1);
    CHECK((is_broken(sent.last()) ||
           (sent.last() > 0 && static_cast<std::size_t>(sent.last()) < bytes.size())));
    CHECK(is_broken(backend.send(writer, "more")));
}

TEST_CASE("sending to somebody who has closed fails, and no signal kills the process",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    backend.close(reader);
    backend.settle();
    backend.send(writer, "the first may still go out");
    backend.settle();
    CHECK(is_broken(backend.send(writer, "but not the second")));
}

TEST_CASE("both directions of a socket are independent", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, second] = backend.tcp_pair();
    const std::string bytes = numbered_bytes(1'000'000);
    gathered there(bytes, {bytes.size()});
    gathered back(bytes, {bytes.size()});
    recorder& first_sent = backend.start(send_op{first, &there.message});
    recorder& second_sent = backend.start(send_op{second, &back.message});
    recorder& first_received = backend.start(receive_op{first});
    recorder& second_received = backend.start(receive_op{second});
    backend.run_until([&] {
        return first_received.bytes.size() == bytes.size() &&
               second_received.bytes.size() == bytes.size() && first_sent.done && second_sent.done;
    });
    CHECK((first_received.bytes == bytes));
    CHECK((second_received.bytes == bytes));
    CHECK(backend->operations_in_flight() == 2);
}

TEST_CASE("cancelling and restarting a receive_op loses no byte", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    const std::string bytes = numbered_bytes(1'000'000);
    recorder& received = backend.start(receive_op{reader});
    int cancel_count = 0;
    received.then = [&, socket = reader] {
        if (received.last() > 0 && received.values.size() % 5 == 0) {
            backend->cancel(received);
        }
        if (received.last() == -ECANCELED) {
            ++cancel_count;
            backend->submit(receive_op{socket}, received);
        }
    };
    for (std::size_t i = 0; i < 100; ++i) {
        CHECK(backend.send(writer, std::string_view(bytes).substr(i * 10'000, 10'000)) == 10'000);
    }
    backend.run_until([&] { return received.bytes.size() >= bytes.size(); });
    CHECK((received.bytes == bytes));
    CHECK(cancel_count > 3);
    received.then = [] {};
}

TEST_CASE("complete() may start the next operation: a ping-pong of ten thousand rounds",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    const auto [first, second] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    const std::string ball = "*";
    gathered message(ball, {1});
    int rounds_left = 10'000;
    recorder& first_sent = backend.make_recorder();
    recorder& second_sent = backend.make_recorder();
    recorder& first_received = backend.start(receive_op{first});
    recorder& second_received = backend.start(receive_op{second});
    first_received.then = [&, socket = first] {
        if (--rounds_left > 0 && first_received.last() > 0) {
            backend->submit(send_op{socket, &message.message}, first_sent);
        }
    };
    second_received.then = [&, socket = second] {
        if (second_received.last() > 0) {
            backend->submit(send_op{socket, &message.message}, second_sent);
        }
    };
    backend->submit(send_op{first, &message.message}, first_sent);
    backend.run_until([&] { return rounds_left == 0; });
    CHECK(first_received.bytes.size() == 10'000);
    CHECK(second_received.bytes.size() == 10'000);
    first_received.then = [] {};
    second_received.then = [] {};
}

TEST_CASE("a receive_op on a socket that is not connected fails", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::names())));
    recorder& received = backend.start(receive_op{backend.open_tcp()});
    backend.finish(received);
    CHECK(received.last() == -ENOTCONN);
}
