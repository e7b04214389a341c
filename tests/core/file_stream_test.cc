// Files as streams, in simulated worlds and on the real kernel.
#include <miniss/core/file_stream.hh>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include <miniss/core/do_with.hh>
#include <miniss/core/file_system.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

constexpr auto for_writing = open_flags::rw | open_flags::create | open_flags::truncate;

future<std::string> read_and_close(input_stream<char> stream) {
    return do_with(std::move(stream), [](input_stream<char>& in) {
        return read_to_end(in).finally([&in] { return in.close(); });
    });
}

future<> write_file(file target, const std::string& bytes, std::size_t piece_bytes,
                    file_output_stream_options options) {
    return make_file_output_stream(std::move(target), options)
        .then([&bytes, piece_bytes](output_stream<char>&& stream) {
            return do_with(std::move(stream), [&bytes, piece_bytes](output_stream<char>& out) {
                return write_all(out, bytes, piece_bytes);
            });
        });
}

// A shard whose file operations fail from some moment on.
template <typename Request>
void fail_after(test_shard& shard, int count, int error) {
    shard.shard().backend.file_fault =
        [count, error](const file_request& request) mutable -> std::optional<int> {
        return std::holds_alternative<Request>(request.call) && count-- <= 0 ? std::optional(-error)
                                                                             : std::nullopt;
    };
}

}  // namespace

TEST_CASE("a stream reads a part of a file, whatever is read ahead", "[file_stream]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    scratch_directory scratch;
    const std::string bytes = distinct_bytes(100'000);
    const std::string path = scratch.path("file");
    std::ofstream(path) << bytes;
    const unsigned read_ahead = GENERATE(0u, 1u, 5u);
    const auto [offset, size_bytes] =
        GENERATE(std::pair(0u, 1'000'000u), std::pair(5u, 50'000u), std::pair(8192u, 8192u),
                 std::pair(99'999u, 5u), std::pair(200'000u, 5u), std::pair(0u, 0u));
    const std::uint64_t from = offset;
    const std::uint64_t wanted = size_bytes;
    const std::string read = shard.run([&] {
        return open_file(path, open_flags::ro).then([&](file source) {
            return read_and_close(make_file_input_stream(
                source, from, wanted, {.buffer_size = 8192, .read_ahead = read_ahead}));
        });
    });
    CHECK(read == (from < bytes.size() ? bytes.substr(from, wanted) : ""));
}

TEST_CASE("reading ahead keeps as many reads under way, and close() waits for them",
          "[file_stream]") {
    test_shard shard;
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::ofstream(path) << distinct_bytes(100'000);
    auto in = shard.run([&] {
        return open_file(path, open_flags::ro).then([](file source) {
            return make_file_input_stream(source, {.buffer_size = 4096, .read_ahead = 3});
        });
    });
    const auto& backend = shard.shard().backend;
    auto first = in.read();
    CHECK(backend.operations_in_flight() == 1);  // A short file needs no more.
    shard.run([&first] { return std::move(first).discard_result(); });
    auto second = in.read();
    CHECK(backend.operations_in_flight() == 4);
    shard.run([&second] { return std::move(second).discard_result(); });
    shard.run([&in] { return in.close(); });
    CHECK(backend.operations_in_flight() == 0);
}

TEST_CASE("a stream writes a file whole, whatever is written behind", "[file_stream]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(GENERATE(1u, 8192u, 100'000u));
    const unsigned write_behind = GENERATE(0u, 1u, 4u);
    const std::size_t piece_bytes = GENERATE(1000u, 20'000u, 100'000u);
    const bool direct = GENERATE(false, true);
    shard.run([&] {
        return (direct ? open_file_dma(path, for_writing) : open_file(path, for_writing))
            .then([&](file target) {
                return write_file(target, bytes, piece_bytes,
                                  {.buffer_size = 8192, .write_behind = write_behind});
            });
    });
    CHECK(content_of(path) == bytes);
}

TEST_CASE("the kernel reads and writes streams the same, direct and buffered", "[file_stream]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(1'000'001);
    const bool direct = GENERATE(false, true);
    const auto open = [&](open_flags flags) {
        return direct ? open_file_dma(path, flags) : open_file(path, flags);
    };
    shard.run([&] {
        return open(for_writing).then([&](file target) {
            return write_file(target, bytes, 300'000, {});
        });
    });
    CHECK(content_of(path) == bytes);
    CHECK(shard.run([&] {
        return open(open_flags::ro).then([](file source) {
            return read_and_close(make_file_input_stream(source));
        });
    }) == bytes);
}

TEST_CASE("a write that fails behind the writer's back fails the close at the latest",
          "[file_stream]") {
    test_shard shard(GENERATE(range(0u, 10u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(200'000);
    file target = shard.run([&] { return open_file(path, for_writing); });
    const int what = GENERATE(0, 1, 2);
    if (what == 0) {
        fail_after<write_request>(shard, GENERATE(0, 3), ENOSPC);
    } else if (what == 1) {
        fail_after<sync_request>(shard, 0, ENOSPC);
    } else {
        fail_after<close_request>(shard, 0, ENOSPC);
    }
    auto out = shard.run([&] {
        return make_file_output_stream(target, {.buffer_size = 8192, .write_behind = 100});
    });
    // Nobody looks at what the writes say.
    for (std::size_t at = 0; at < bytes.size(); at += 5000) {
        shard.run([&] { return errno_of(out.write(bytes.data() + at, 5000)); });
    }
    const int fd = target.fd();
    CHECK(shard.run([&] { return errno_of(out.close()); }) == ENOSPC);
    if (what == 2) {
        ::close(fd);
    } else {
        CHECK(::fcntl(fd, F_GETFD) == -1);  // It is closed all the same.
    }
}

TEST_CASE("once a write has failed, all later ones fail with its error", "[file_stream]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    scratch_directory scratch;
    fail_after<write_request>(shard, 0, EIO);
    auto out = shard.run([&] {
        return open_file(scratch.path("file"), for_writing).then([](file target) {
            return make_file_output_stream(target);
        });
    });
    CHECK(shard.run([&] { return errno_of(out.write("x").then([&] { return out.flush(); })); }) ==
          EIO);
    const std::string bytes = distinct_bytes(200'000);
    CHECK(shard.run([&] { return errno_of(out.write(bytes)); }) == EIO);
    CHECK(shard.run([&] { return errno_of(out.close()); }) == EIO);
}

TEST_CASE("a stream that appends writes in order, behind what is there", "[file_stream]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::ofstream(path) << "before";
    const std::string bytes = distinct_bytes(50'000);
    shard.run([&] {
        return open_file(path, open_flags::wo | open_flags::append).then([&](file target) {
            return make_file_output_stream(target, {.buffer_size = 4096, .write_behind = 4})
                .then([&](output_stream<char>&& made) {
                    return do_with(std::move(made), [&](output_stream<char>& out) {
                        return out.write(bytes).then([&out] { return out.close(); });
                    });
                });
        });
    });
    std::stringstream read;
    read << std::ifstream(path).rdbuf();
    CHECK(read.str() == "before" + bytes);
}

TEST_CASE("a read that fails fails the stream", "[file_stream]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::ofstream(path) << distinct_bytes(100'000);
    fail_after<read_request>(shard, 4, EIO);
    CHECK(shard.run([&] {
        return open_file(path, open_flags::ro).then([](file source) {
            return errno_of(read_and_close(
                make_file_input_stream(source, {.buffer_size = 4096, .read_ahead = 2})));
        });
    }) == EIO);
}
