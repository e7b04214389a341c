// Files that are sent over connections, by the real kernel and in the simulated network.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include <miniss/core/file.hh>
#include <miniss/core/kernel_files.hh>
#include <miniss/core/when_all.hh>
#include <miniss/net/socket.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/raw_peer.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

std::string make_file(const scratch_directory& scratch, const std::string& bytes) {
    const std::string path = scratch.path("file");
    std::ofstream(path) << bytes;
    return path;
}

// A connected socket of ours, a plain one at the other end, and an open file of these bytes.
struct sending {
    real_shard& shard;
    scratch_directory scratch;
    std::string path;
    raw_peer peer;
    connected_socket socket;
    file source;

    sending(real_shard& of, const std::string& bytes, std::pair<int, int> ends = make_socketpair())
        : shard(of),
          path(make_file(scratch, bytes)),
          peer(ends.first),
          socket(adopt_socket(of.backend(), non_blocking(ends.second))) {
        source = shard.run([this] { return open_file(path, open_flags::ro); });
    }
    // As each backend makes its own sockets.
    int non_blocking(int fd) const {
        if (shard.backend().name() == std::string_view("epoll")) {
            ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
        }
        return fd;
    }
    // The errno that it ends with, once it does.
    std::shared_ptr<std::optional<int>> start(std::uint64_t offset, std::uint64_t size_bytes) {
        auto ended = std::make_shared<std::optional<int>>();
        (void)errno_of(socket.send_file(source, offset, size_bytes)).then([ended](int error) {
            *ended = error;
        });
        return ended;
    }
    void run_some_turns() {
        shard.run_until([turns = 0]() mutable { return ++turns == 20; });
    }
};

}  // namespace

TEST_CASE("a part of a file arrives whole, between what is written before and behind it",
          "[send_file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const std::string bytes = distinct_bytes(700'000);
    sending here(shard, bytes);
    const auto [offset, size_bytes] = GENERATE(std::pair(0u, 700'000u), std::pair(0u, 0u),
                                               std::pair(1u, 1u), std::pair(12'345u, 300'000u));
    auto out = here.socket.output();
    const std::size_t sent_from = offset;
    const std::size_t sent_bytes = size_bytes;
    auto all = out.write("head ")
                   .then([&out] { return out.flush(); })
                   .then([&] { return here.socket.send_file(here.source, sent_from, sent_bytes); })
                   .then([&out] { return out.write(" tail"); })
                   .then([&out] { return out.close(); });
    shard.run_until([&] { return here.peer.ended(); });
    CHECK(here.peer.received() == "head " + bytes.substr(sent_from, sent_bytes) + " tail");
    shard.run([&all] { return std::move(all); });
}

TEST_CASE("what is in memory is sent without a pipe; what is not, or not known to be, through one",
          "[send_file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const std::string bytes = distinct_bytes(5'000'000);
    sending here(shard, bytes);
    const int fd = here.source.fd();
    if (!is_in_memory(fd, 0, bytes.size())) {
        WARN("not tested: the file system does not say what is in memory");
        return;
    }
    CHECK(is_in_memory(fd, 4095, 2));
    CHECK_FALSE(is_in_memory(fd, 4'999'999, 2));  // Nobody knows what is behind the end.
    const std::size_t before = descriptor_count();
    const auto ended = here.start(1, 4'999'999);
    here.run_some_turns();
    CHECK(!ended->has_value());
    CHECK(descriptor_count() == before);
    shard.run_until([&] { return here.peer.received().size() == 4'999'999; });
    CHECK(here.peer.received() == bytes.substr(1));
    shard.run_until([&] { return ended->has_value(); });
    CHECK(ended->value() == 0);
}

TEST_CASE("a file goes on where the connection stopped it, in every simulated world",
          "[send_file]") {
    test_shard shard(GENERATE(range(0u, 15u)));
    scratch_directory scratch;
    const std::string bytes = distinct_bytes(300'000);
    const std::string path = make_file(scratch, bytes);
    const auto [first, second] = shard.network().connected_pair();
    auto from = adopt_socket(shard.shard().backend, first);
    auto to = adopt_socket(shard.shard().backend, second);
    auto in = to.input();
    auto out = from.output();
    const std::string received = shard.run([&] {
        auto sent = open_file(path, open_flags::ro)
                        .then([&](file source) { return from.send_file(source, 100, 299'900); })
                        .then([&out] { return out.close(); });
        return when_all_succeed(std::move(sent), read_to_end(in)).then([](auto&& results) {
            return std::move(std::get<0>(results));
        });
    });
    CHECK(received == bytes.substr(100));
}

TEST_CASE("a file that has become shorter fails, and ends the output", "[send_file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    sending here(shard, distinct_bytes(100'000));
    REQUIRE(::truncate(here.path.c_str(), 70'000) == 0);
    const auto ended = here.start(0, 100'000);
    shard.run_until([&] { return here.peer.ended(); });
    CHECK(here.peer.received().size() == 70'000);
    shard.run_until([&] { return ended->has_value(); });
    CHECK(ended->value() == ENODATA);
    auto out = here.socket.output();
    CHECK(shard.run([&out] {
        return errno_of(out.write("more").then([&] { return out.flush(); }));
    }) == EPIPE);
}

TEST_CASE("a disk that fails while a file is sent fails the sending", "[send_file]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    scratch_directory scratch;
    const std::string path = make_file(scratch, distinct_bytes(300'000));
    const auto [first, second] = shard.network().connected_pair();
    auto from = adopt_socket(shard.shard().backend, first);
    auto to = adopt_socket(shard.shard().backend, second);
    auto in = to.input();
    shard.network().options.caches_files = false;
    int reads_left = 3;
    shard.shard().backend.file_fault = [&](const file_request& request) -> std::optional<int> {
        const bool reads = std::holds_alternative<fill_pipe_request>(request.call);
        return reads && reads_left-- == 0 ? std::optional(-EIO) : std::nullopt;
    };
    const std::string received = shard.run([&] {
        auto sent = open_file(path, open_flags::ro).then([&](file source) {
            return errno_of(from.send_file(source, 0, 300'000));
        });
        return when_all_succeed(std::move(sent), read_to_end(in)).then([](auto&& results) {
            CHECK(std::get<0>(results) == EIO);
            return std::move(std::get<1>(results));
        });
    });
    CHECK(received.size() == 3 * 65536);
}

TEST_CASE("a peer that goes away ends the sending of a file, and no signal comes", "[send_file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    sending here(shard, distinct_bytes(5'000'000));
    const auto ended = here.start(0, 5'000'000);
    here.run_some_turns();
    CHECK(!ended->has_value());  // The peer reads nothing.
    here.peer.reset();
    shard.run_until([&] { return ended->has_value(); });
    CHECK((ended->value() == EPIPE || ended->value() == ECONNRESET));
}

TEST_CASE("a sending that waits ends with the output, or when the socket is dropped",
          "[send_file]") {
    const std::size_t before = descriptor_count();
    {
        real_shard shard(GENERATE(from_range(backends_to_test())));
        sending here(shard, distinct_bytes(5'000'000));
        const auto ended = here.start(0, 5'000'000);
        here.run_some_turns();
        const bool drops = GENERATE(false, true);
        if (drops) {
            here.socket = {};
        } else {
            here.socket.shutdown_output();
        }
        shard.run_until([&] { return ended->has_value(); });
        CHECK(ended->value() == (drops ? ECANCELED : EPIPE));
        here.source = {};
        here.socket = {};
        shard.run_until_idle();
        CHECK(here.peer.gone());
    }
    CHECK(descriptor_count() == before);
}
