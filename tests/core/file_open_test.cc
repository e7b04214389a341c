// What is opened, and how: past the page cache, and nothing that is elsewhere or no file.
#include <miniss/core/file.hh>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

#include <miniss/core/kernel_files.hh>
#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

// A file system without direct I/O. To open(2) it says so once the file is there.
std::optional<int> refuse_direct_io(const file_request& request) {
    if (const auto* open = std::get_if<open_request>(&request.call);
        open != nullptr && (open->how.flags & O_DIRECT) != 0) {
        open_request buffered = *open;
        buffered.how.flags &= ~std::uint64_t{O_DIRECT};
        const int fd = make_file_call({buffered});
        if (fd < 0) {
            return fd;
        }
        ::close(fd);
        return -EINVAL;
    }
    const auto* flags = std::get_if<flags_request>(&request.call);
    return flags != nullptr && (flags->set & O_DIRECT) != 0 ? std::optional(-EINVAL) : std::nullopt;
}

}  // namespace

TEST_CASE("where a file system refuses direct I/O, a file is buffered", "[file]") {
    test_shard shard(GENERATE(range(0u, 4u)));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    shard.shard().backend.file_fault = refuse_direct_io;
    const auto write = [&](open_flags flags) {
        return open_file_dma(path, flags).then([](file opened) {
            CHECK(opened.disk_write_dma_alignment() == 1);
            return opened.dma_write(1, "odd", 3).then([opened](std::size_t) {
                return opened.close();
            });
        });
    };
    shard.run([&] { return write(open_flags::rw | open_flags::create); });
    CHECK(content_of(path) == std::string("\0odd", 4));
    // It is new, although the file system has made it before it refuses.
    constexpr auto new_file = open_flags::rw | open_flags::create | open_flags::exclusive;
    REQUIRE(::unlink(path.c_str()) == 0);
    shard.run([&] { return write(new_file); });
    CHECK(content_of(path) == std::string("\0odd", 4));
    CHECK(shard.run([&] { return errno_of(write(new_file)); }) == EEXIST);
}

TEST_CASE("what is opened beneath a directory is beneath it", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    ::mkdir(scratch.path("root").c_str(), 0755);
    ::mkdir(scratch.path("root/below").c_str(), 0755);
    std::ofstream(scratch.path("secret")) << "secret";
    std::ofstream(scratch.path("root/below/public")) << "public";
    REQUIRE(::symlink("../secret", scratch.path("root/out").c_str()) == 0);
    REQUIRE(::symlink("below/public", scratch.path("root/in").c_str()) == 0);
    file root = shard.run([&] { return open_directory(scratch.path("root")); });
    const auto open = [&](std::string_view path) {
        return shard.run([&] {
            return errno_of(open_file_beneath(root, path, open_flags::ro).then([](file opened) {
                return opened.close();
            }));
        });
    };
    CHECK(open("below/public") == 0);
    CHECK(open("below/../below/public") == 0);
    CHECK(open("in") == 0);
    CHECK(open("out") == EXDEV);
    CHECK(open("../secret") == EXDEV);
    CHECK(open("/etc/passwd") == EXDEV);
    CHECK(open("nowhere") == ENOENT);
    CHECK(open(std::string_view("in\0x", 4)) == EINVAL);
    shard.run([&] { return root.close(); });
}

// Opened like a file, the pipe would wait for a writer.
TEST_CASE("what is opened beneath a directory is a file or a directory", "[file]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    REQUIRE(::mkfifo(scratch.path("pipe").c_str(), 0600) == 0);
    std::ofstream(scratch.path("file")) << "bytes";
    file root = shard.run([&] { return open_directory(scratch.whole().string()); });
    file devices = shard.run([] { return open_directory("/dev"); });
    const auto error = [&](const file& directory, std::string_view path, open_flags flags) {
        return shard.run([&] { return errno_of(open_file_beneath(directory, path, flags)); });
    };
    CHECK(error(root, "pipe", open_flags::ro) == ENXIO);
    CHECK(error(root, "pipe", open_flags::wo) == ENXIO);
    CHECK(error(devices, "null", open_flags::ro) == ENXIO);
    CHECK(error(root, ".", open_flags::ro) == 0);
    shard.run([&] {
        return open_file_beneath(root, "file", open_flags::ro).then([](file opened) {
            CHECK((::fcntl(opened.fd(), F_GETFL) & O_NONBLOCK) == 0);
            return opened.dma_read(0, 100)
                .then([](temporary_buffer<char>&& bytes) { CHECK(bytes.view() == "bytes"); })
                .finally([opened]() { return opened.close(); });
        });
    });
    shard.run([&] { return when_all_succeed(root.close(), devices.close()).discard_result(); });
}
