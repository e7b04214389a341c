// Files on the real kernel by both backends, and with simulated delays, short transfers and faults.
#include <miniss/core/file_system.hh>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include <miniss/core/loop.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

constexpr auto for_writing = open_flags::rw | open_flags::create | open_flags::truncate;

template <typename T>
int error_of(future<T> ended) {
    try {
        ended.get();
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

// Runs body() on a shard and gives the errno that it fails with, or 0.
template <typename Shard, typename Body>
int error_on(Shard& shard, Body body) {
    return shard.run([&body] {
        return futurize_invoke(body).then_wrapped(
            [](auto ended) { return error_of(std::move(ended)); });
    });
}

std::vector<iovec> pieces_of(std::string& bytes, std::size_t piece_bytes) {
    std::vector<iovec> pieces;
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
        pieces.push_back({bytes.data() + at, std::min(piece_bytes, bytes.size() - at)});
        pieces.push_back({nullptr, 0});
    }
    return pieces;
}

// Writes `bytes` to a new file, reads them back, and gives what it read.
future<std::string> write_and_read(const std::string& path, const std::string& bytes) {
    return open_file(path, for_writing).then([&bytes](file opened) {
        return opened.dma_write(0, bytes.data(), bytes.size())
            .then([opened, &bytes](std::size_t written) {
                CHECK(written == bytes.size());
                return opened.dma_read(0, bytes.size() + 100);
            })
            .then([opened](temporary_buffer<char>&& read) {
                return opened.close().then(
                    [read = std::move(read)] { return std::string(read.view()); });
            });
    });
}

}  // namespace

TEST_CASE("what is written to a file can be read from it, on every backend", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string bytes = distinct_bytes(GENERATE(0u, 1u, 5000u, 3'000'000u));
    const std::string path = scratch.path("file");
    CHECK(shard.run([&] { return write_and_read(path, bytes); }) == bytes);
    CHECK(content_of(path) == bytes);
}

TEST_CASE("short reads and writes are resumed until everything is done", "[file]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    scratch_directory scratch;
    const std::string bytes = distinct_bytes(GENERATE(1u, 5000u, 300'000u));
    const std::string path = scratch.path("file");
    CHECK(shard.run([&] { return write_and_read(path, bytes); }) == bytes);
    CHECK(content_of(path) == bytes);
}

TEST_CASE("a read gives less only where the file ends", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::ofstream(path) << "0123456789";
    const auto read = [&](std::uint64_t offset, std::size_t size_bytes) {
        return shard.run([&] {
            return open_file(path, open_flags::ro).then([offset, size_bytes](file opened) {
                return opened.dma_read(offset, size_bytes)
                    .then([](temporary_buffer<char>&& bytes) { return std::string(bytes.view()); })
                    .finally([opened]() { return opened.close(); });
            });
        });
    };
    CHECK(read(3, 4) == "3456");
    CHECK(read(8, 4) == "89");
    CHECK(read(10, 4).empty());
    CHECK(read(4000, 4).empty());
}

TEST_CASE("direct I/O reads any range, and writes what is aligned", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(20'000);
    std::ofstream(path) << bytes;
    shard.run([&] {
        return open_file_dma(path, open_flags::rw).then([&](file opened) {
            CHECK(opened.memory_dma_alignment() <= 4096);
            const auto check = [opened, &bytes](std::uint64_t offset, std::size_t size) {
                return opened.dma_read(offset, size)
                    .then([&bytes, offset, size](temporary_buffer<char>&& read) {
                        CHECK(read.view() == std::string_view(bytes).substr(offset, size));
                    });
            };
            return when_all_succeed(check(0, 20'000), check(1, 4096), check(4095, 2),
                                    check(19'990, 500), check(20'000, 1))
                .then([opened](auto&&) {
                    auto block = temporary_buffer<char>::aligned(4096, 4096);
                    std::fill_n(block.get_write(), 4096, 'x');
                    return opened.dma_write(8192, std::move(block));
                })
                .then([opened](std::size_t) { return opened.flush(); })
                .then([opened]() { return opened.close(); });
        });
    });
    CHECK(content_of(path) == bytes.substr(0, 8192) + std::string(4096, 'x') + bytes.substr(12288));
}

TEST_CASE("lists of pieces are read and written as one", "[file]") {
    const auto round_trip = [](auto& shard) {
        scratch_directory scratch;
        const std::string path = scratch.path("file");
        std::string bytes = distinct_bytes(100'000);
        const std::size_t piece_bytes = GENERATE(7u, 512u, 40'000u);  // 7: more than IOV_MAX.
        std::string read(bytes.size() + 100, '.');
        shard.run([&] {
            return open_file(path, for_writing).then([&, piece_bytes](file opened) {
                return opened.dma_write(3, pieces_of(bytes, piece_bytes))
                    .then([&, piece_bytes, opened](std::size_t written_bytes) {
                        CHECK(written_bytes == bytes.size());
                        return opened.dma_read(3, pieces_of(read, piece_bytes));
                    })
                    .then([&, opened](std::size_t read_bytes) {
                        CHECK(read_bytes == bytes.size());
                        return opened.dma_read(0, std::vector<iovec>());
                    })
                    .then([opened](std::size_t read_bytes) {
                        CHECK(read_bytes == 0);
                        return opened.close();
                    });
            });
        });
        CHECK(read == bytes + std::string(100, '.'));
        CHECK(content_of(path) == std::string(3, '\0') + bytes);
    };
    SECTION("by the kernel") {
        real_shard shard(GENERATE(from_range(backends_to_test())));
        round_trip(shard);
    }
    SECTION("in short pieces") {
        test_shard shard(GENERATE(range(0u, 4u)));
        round_trip(shard);
    }
}

TEST_CASE("a list of pieces that a disk or a descriptor refuses fails its future", "[file]") {
    test_shard shard(GENERATE(range(0u, 4u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::string bytes = "some bytes";
    file opened = shard.run([&] { return open_file(path, for_writing); });
    shard.shard().backend.file_fault = [](const file_request& request) -> std::optional<int> {
        return std::holds_alternative<write_list_request>(request.call)  ? std::optional(-ENOSPC)
               : std::holds_alternative<read_list_request>(request.call) ? std::optional(-EIO)
                                                                         : std::nullopt;
    };
    CHECK(error_on(shard, [&] { return opened.dma_write(0, pieces_of(bytes, 3)); }) == ENOSPC);
    CHECK(error_on(shard, [&] { return opened.dma_read(0, pieces_of(bytes, 3)); }) == EIO);
    shard.run([&] { return opened.close(); });
    CHECK(error_on(shard, [&] { return opened.dma_read(0, pieces_of(bytes, 3)); }) == EBADF);
}

TEST_CASE("a full disk, a broken disk and a file that is too large fail the write", "[file]") {
    test_shard shard(GENERATE(range(0u, 10u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(100'000);
    const int error = GENERATE(ENOSPC, EIO, EFBIG);
    int writes_left = GENERATE(0, 1, 2);
    shard.shard().backend.file_fault = [&](const file_request& request) -> std::optional<int> {
        const bool writes = std::holds_alternative<write_request>(request.call);
        return writes && writes_left-- <= 0 ? std::optional(-error) : std::nullopt;
    };
    const int got = error_on(shard, [&] { return write_and_read(path, bytes).discard_result(); });
    // The last piece may have gone before it was too late.
    CHECK((got == error || (writes_left >= 0 && got == 0)));
}

TEST_CASE("a device that takes nothing, and a limit on sizes, fail the write", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    CHECK(error_on(shard, [] {
              return open_file("/dev/full", open_flags::wo).then([](file full) {
                  return full.dma_write(0, "x", 1).finally([full]() { return full.close(); });
              });
          }) == ENOSPC);

    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(10'000);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit small{5000, before.rlim_max};
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const int got = error_on(shard, [&] { return write_and_read(path, bytes).discard_result(); });
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, ignored);
    CHECK(got == EFBIG);
    CHECK(content_of(path).size() == 5000);  // The short write was resumed, and then refused.
}

TEST_CASE("errors of reading, flushing and closing are errors of their futures", "[file]") {
    test_shard shard(GENERATE(range(0u, 4u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::ofstream(path) << "some bytes";
    std::set<std::string> failed;
    shard.shard().backend.file_fault = [](const file_request& request) -> std::optional<int> {
        const bool fails = std::holds_alternative<read_request>(request.call) ||
                           std::holds_alternative<sync_request>(request.call) ||
                           std::holds_alternative<close_request>(request.call);
        return fails ? std::optional(-EIO) : std::nullopt;
    };
    file opened = shard.run([&] { return open_file(path, open_flags::rw); });
    CHECK(error_on(shard, [&] { return opened.dma_read(0, 4); }) == EIO);
    CHECK(error_on(shard, [&] { return opened.flush(); }) == EIO);
    const int fd = opened.fd();
    CHECK(error_on(shard, [&] { return opened.close(); }) == EIO);
    CHECK(error_on(shard, [&] { return opened.flush(); }) == EBADF);
    ::close(fd);
}

TEST_CASE("a call that nobody waits for any more keeps its buffer and its file", "[file]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    shard.run([&] {
        return open_file(path, for_writing).then([](file opened) {
            (void)opened.dma_write(0, temporary_buffer<char>("kept bytes", 10));
            (void)opened.dma_read(0, 100);
            (void)opened.dma_read(0, 100);
        });  // The last reference is gone: the file is closed behind them.
    });
    shard.world().run_until([&] { return shard.shard().backend.operations_in_flight() == 0; });
    CHECK(content_of(path) == "kept bytes");
}

TEST_CASE("close() waits for what is under way, and then the descriptor is gone", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::string bytes = distinct_bytes(1'000'000);
    int fd = -1;
    shard.run([&] {
        return open_file(path, for_writing).then([&](file opened) {
            fd = opened.fd();
            auto written = opened.dma_write(0, bytes.data(), bytes.size());
            auto closed = opened.close();
            return when_all_succeed(std::move(written), std::move(closed)).discard_result();
        });
    });
    CHECK(::fcntl(fd, F_GETFD) == -1);
    CHECK(content_of(path) == bytes);
}

TEST_CASE("files are found, named, sized and removed", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string first = scratch.path("first");
    const std::string second = scratch.path("second");
    const std::string folder = scratch.path("folder");
    std::ofstream(first) << "twelve bytes";
    REQUIRE(::symlink("first", scratch.path("link").c_str()) == 0);
    const auto exists = [&](const std::string& path) {
        return shard.run([&] { return file_exists(path); });
    };
    CHECK(exists(first));
    CHECK(!exists(second));
    CHECK(!exists(first + "/below"));
    CHECK(shard.run([&] { return file_size(first); }) == 12);
    shard.run([&] { return rename_file(first, second); });
    CHECK(!exists(first));
    CHECK(exists(second));
    shard.run([&] { return rename_file(second, first); });
    shard.run([&] { return make_directory(folder); });
    CHECK(error_on(shard, [&] { return make_directory(folder); }) == EEXIST);
    shard.run([&] { return touch_directory(folder); });
    const stat_data link =
        shard.run([&] { return file_stat(scratch.path("link"), follow_symlink::no); });
    CHECK(link.type == directory_entry_type::link);
    const stat_data file = shard.run([&] { return file_stat(scratch.path("link")); });
    CHECK(file.type == directory_entry_type::regular);
    CHECK(file.size == 12);
    struct stat plain {};
    REQUIRE(::stat(first.c_str(), &plain) == 0);
    CHECK(file.inode_number == plain.st_ino);
    CHECK(system_clock::to_time_t(file.time_modified) == plain.st_mtim.tv_sec);
    shard.run([&] { return remove_file(first); });
    CHECK(!exists(first));
    shard.run([&] { return remove_file(folder); });
    CHECK(!exists(folder));
    CHECK(error_on(shard, [&] { return remove_file(first); }) == ENOENT);
    CHECK(error_on(shard, [] { return file_stat(std::string_view("/tmp\0/x", 7)); }) == EINVAL);
}

TEST_CASE("a directory lists its entries one by one", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const int count = GENERATE(0, 3, 1000);
    std::set<std::string> made;
    for (int i = 0; i < count; ++i) {
        made.insert("a file with a longer name, number " + std::to_string(i));
        std::ofstream(scratch.path("a file with a longer name, number " + std::to_string(i)));
    }
    std::set<std::string> listed;
    const auto list = [&](auto next) {
        return shard.run([&] {
            return open_directory(scratch.whole().string()).then([&](file directory) {
                return directory.list_directory(next).finally(
                    [directory]() { return directory.close(); });
            });
        });
    };
    list([&](directory_entry entry) {
        CHECK(entry.type == directory_entry_type::regular);
        listed.insert(entry.name);
        return make_ready_future<>();
    });
    CHECK(listed == made);
    if (count != 0) {
        CHECK_THROWS_AS(list([](const directory_entry&) {
                            return make_exception_future<>(std::range_error("enough"));
                        }),
                        std::range_error);
    }
}

TEST_CASE("sizes change, and space is got and given back", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    std::ofstream(path) << std::string(100'000, 'x');
    file opened = shard.run([&] { return open_file(path, open_flags::rw); });
    shard.run([&] { return opened.truncate(70'000); });
    CHECK(shard.run([&] { return opened.size(); }) == 70'000);
    shard.run([&] { return opened.allocate(0, 1'000'000); });
    const stat_data more = shard.run([&] { return opened.stat(); });
    CHECK(more.size == 70'000);
    CHECK(more.allocated_size >= 1'000'000);
    shard.run([&] { return opened.discard(4096, 4096); });
    CHECK(content_of(path) ==
          std::string(4096, 'x') + std::string(4096, '\0') + std::string(70'000 - 8192, 'x'));
    CHECK(error_on(shard, [&] { return opened.allocate(0, ~0ULL >> 1); }) == EFBIG);
    shard.run([&] { return opened.close(); });
}

TEST_CASE("a pipe gives what it has, and takes all", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    file reader = file::from_descriptor(ends[0]);
    file writer = file::from_descriptor(ends[1]);
    const std::string bytes = distinct_bytes(200'000);
    std::string received;
    shard.run([&] {
        auto written = writer.dma_write(0, bytes.data(), bytes.size()).then([&](std::size_t) {
            return writer.close();
        });
        auto read = miniss::repeat([&] {
            return reader.dma_read(0, 4096).then([&](temporary_buffer<char>&& piece) {
                received += piece.view();
                return piece.empty() ? stop_iteration::yes : stop_iteration::no;
            });
        });
        return when_all_succeed(std::move(written), std::move(read)).discard_result();
    });
    CHECK(received == bytes);
    shard.run([&] { return reader.close(); });
}

TEST_CASE("a file that is borrowed stays open", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    std::ofstream(scratch.path("file")) << "content";
    const int fd = ::open(scratch.path("file").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    {
        const file borrowed = file::borrow(fd);
        CHECK(shard.run([&] { return borrowed.dma_read(3, 100); }).view() == "tent");
    }
    shard.run_until_idle();
    CHECK(::close(fd) == 0);
}

TEST_CASE("a read that waits for a pipe ends with the shard", "[file]") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    int error = 0;
    {
        real_shard shard(GENERATE(from_range(backends_to_test())));
        file reader = file::from_descriptor(ends[0]);
        (void)reader.dma_read(0, 1).then_wrapped(
            [&](future<temporary_buffer<char>> ended) { error = error_of(std::move(ended)); });
    }
    CHECK(error == ECANCELED);
    CHECK(::fcntl(ends[0], F_GETFD) == -1);
    ::close(ends[1]);
}
