// Tests of connected sockets in a simulated network, where a seed cuts, delays and reorders.
#include <miniss/net/socket.hh>

#include <cerrno>

#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// How far a socket may receive ahead of its reader: what stops it, and the piece that exceeds it.
constexpr std::size_t ahead_bytes_max = 64 * 1024 + 8192;

// A shard with a connection whose ends are both its own.
struct connected_world {
    test_shard shard;
    std::pair<int, int> fds = shard.network().connected_pair();
    connected_socket near = adopt_socket(shard.shard().backend, fds.first);
    connected_socket far = adopt_socket(shard.shard().backend, fds.second);
    input_stream<char> near_in = near.input();
    input_stream<char> far_in = far.input();
    output_stream<char> near_out = near.output();
    output_stream<char> far_out = far.output();

    explicit connected_world(std::uint64_t seed) : shard(seed) {}

    void drop_near() {
        near_in = {};
        near_out = {};
        near = {};
    }
    void drop_far() {
        far_in = {};
        far_out = {};
        far = {};
    }
};

}  // namespace

TEST_CASE("both directions carry everything at the same time", "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 40u)));
    const std::string there = distinct_bytes(300'000, 1);
    const std::string back = distinct_bytes(200'000, 2);
    const auto [arrived, returned] = world.shard.run([&] {
        return when_all_succeed(read_to_end(world.far_in), read_to_end(world.near_in),
                                write_all(world.near_out, there, 30'000),
                                write_all(world.far_out, back, 100))
            .then_unpack([](std::string&& first, std::string&& second) {
                return std::pair(std::move(first), std::move(second));
            });
    });
    CHECK(arrived == there);
    CHECK(returned == back);
}

TEST_CASE("a reader who does not read stops the writer, and loses nothing when he goes on",
          "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 40u)));
    const std::string sent = distinct_bytes(1'000'000);
    std::size_t taken_bytes = 0;
    auto writing = repeat([&] {
        return world.near_out.write(std::string_view(sent).substr(taken_bytes, 1000))
            .then([&world] { return world.near_out.flush(); })
            .then([&] {
                taken_bytes += 1000;
                return taken_bytes == sent.size() ? stop_iteration::yes : stop_iteration::no;
            });
    });
    const bool reads_once = GENERATE(false, true);  // Then it receives ahead.
    std::string received;
    if (reads_once) {
        received = world.shard.run([&] { return world.far_in.read(); }).view();
    }
    world.shard.run([] { return sleep(1s); });
    CHECK_FALSE(writing.available());
    const std::size_t window = world.shard.network().options.window_bytes;
    CHECK(taken_bytes <= window + (reads_once ? ahead_bytes_max + received.size() : 0));
    CHECK(taken_bytes > window / 2);

    auto all_written = writing.then([&world] { return world.near_out.close(); });
    received += world.shard.run([&] { return read_to_end(world.far_in); });
    world.shard.run([&] { return std::move(all_written); });
    CHECK(received == sent);
}

TEST_CASE("a read that was interrupted fails, and later ones lose nothing",
          "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 60u)));
    const std::string sent = distinct_bytes(50'000);
    std::string received;
    int interrupted_count = 0;
    int failed_count = 0;
    bool ended = false;
    auto reading = do_until([&] { return ended; },
                            [&] {
                                return world.far_in.read_exactly(700).then_wrapped(
                                    [&](future<temporary_buffer<char>> ready) {
                                        try {
                                            const auto piece = ready.get();
                                            received += piece.view();
                                            ended = piece.empty();
                                        } catch (const std::system_error& error) {
                                            REQUIRE(error.code().value() == ECANCELED);
                                            ++failed_count;
                                        }
                                    });
                            });
    auto interrupting = do_until([&] { return ended; },
                                 [&] {
                                     interrupted_count += world.far.interrupt_input() ? 1 : 0;
                                     return sleep(50us);
                                 });
    world.shard.run([&] {
        return when_all_succeed(std::move(reading), std::move(interrupting),
                                write_all(world.near_out, sent, 900))
            .discard_result();
    });
    CHECK(received == sent);
    CHECK(failed_count > 0);
    CHECK(failed_count == interrupted_count);
}

TEST_CASE("interrupting without a reader does nothing", "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 20u)));
    CHECK_FALSE(world.far.interrupt_input());
    const auto received = world.shard.run([&] {
        return write_all(world.near_out, "hello", 5).then([&] {
            CHECK_FALSE(world.far.interrupt_input());
            return read_to_end(world.far_in);
        });
    });
    CHECK(received == "hello");
}

TEST_CASE("who has finished sending can still receive", "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 40u)));
    auto serving = read_to_end(world.far_in).then([&](std::string&& asked) {
        return write_all(world.far_out, "you said " + asked, 100);
    });
    const auto answer = world.shard.run([&] {
        return world.near_out.write("hello").then([&] { return world.near_out.flush(); }).then([&] {
            world.near.shutdown_output();
            return read_to_end(world.near_in);
        });
    });
    CHECK(answer == "you said hello");
    world.shard.run([&] { return std::move(serving); });
    // Reading behind the end gives the end again.
    CHECK(world.shard.run([&] { return world.near_in.read(); }).empty());
}

TEST_CASE("shutdown_input() fails the read that waits and those that follow",
          "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 40u)));
    const bool by_stream = GENERATE(false, true);
    auto waiting = errno_of(world.far_in.read());
    world.shard.run([] { return sleep(1ms); });
    CHECK_FALSE(waiting.available());
    if (by_stream) {
        world.far_in.close().get();
    } else {
        world.far.shutdown_input();
    }
    CHECK(world.shard.run([&] { return std::move(waiting); }) == ECONNABORTED);
    CHECK(world.shard.run([&] { return errno_of(world.far_in.read()); }) == ECONNABORTED);
    world.shard.run([] { return sleep(1ms); });
    CHECK(world.shard.shard().backend.operations_in_flight() == 0);
}

TEST_CASE("a connection that the network loses fails with an errno on both sides",
          "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 40u)));
    auto reading = errno_of(world.near_in.read());
    auto writing = errno_of(write_all(world.far_out, distinct_bytes(500'000), 500'000));
    world.shard.run([] { return sleep(1ms); });
    world.shard.network().cut(world.fds.first);
    const int read_error = world.shard.run([&] { return std::move(reading); });
    const int write_error = world.shard.run([&] { return std::move(writing); });
    CHECK((read_error == ECONNRESET || read_error == 0));  // It may have had a piece before.
    CHECK((write_error == ECONNRESET || write_error == EPIPE));
    CHECK(world.shard.run([&] { return errno_of(read_to_end(world.near_in)); }) == ECONNRESET);
    CHECK(world.shard.run([&] { return errno_of(read_to_end(world.near_in)); }) == ECONNRESET);
}

TEST_CASE("a dropped connection is closed once nothing is under way", "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 60u)));
    auto& backend = world.shard.shard().backend;
    // It receives, as it was read from once, and has more than it can send.
    world.shard.run([&] {
        return write_all(world.far_out, distinct_bytes(10'000), 100).then([&] {
            return world.near_in.read().discard_result();
        });
    });
    auto writing = errno_of(world.near_out.write(distinct_bytes(1'000'000)));
    world.shard.run([] { return sleep(1ms); });
    CHECK_FALSE(writing.available());
    world.drop_near();
    world.shard.run([] { return sleep(1ms); });
    CHECK(world.shard.network().descriptor_count() == 1);
    REQUIRE(writing.available());
    const int error = writing.get();
    CHECK((error == ECANCELED || error == ECONNRESET));
    world.drop_far();
    world.shard.run([] { return sleep(1ms); });
    CHECK(world.shard.network().descriptor_count() == 0);
    CHECK(backend.operations_in_flight() == 0);
}

TEST_CASE("a connection that is dropped while a read waits is closed, and the read fails",
          "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 60u)));
    auto reading = errno_of(world.near_in.read());
    const bool is_armed = GENERATE(false, true);
    if (is_armed) {
        world.shard.run([] { return sleep(1ms); });
    }
    world.drop_near();
    world.shard.run([] { return sleep(1ms); });
    CHECK(world.shard.network().descriptor_count() == 1);
    REQUIRE(reading.available());
    CHECK(reading.get() == ECONNABORTED);
    CHECK(world.shard.run([&] { return world.far_in.read(); }).empty());
}

TEST_CASE("the connection lives as long as any of its parts", "[stream_socket][sim]") {
    connected_world world(GENERATE(range(0u, 20u)));
    world.near = {};
    world.near_in = {};
    world.far = {};
    world.far_out = {};
    world.shard.run([] { return sleep(1ms); });
    CHECK(world.shard.network().descriptor_count() == 2);
    const auto received = world.shard.run([&] {
        return when_all_succeed(read_to_end(world.far_in), write_all(world.near_out, "hello", 5))
            .then_unpack([](std::string&& text) { return std::move(text); });
    });
    CHECK(received == "hello");
}
