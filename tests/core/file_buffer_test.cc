// The memory for direct I/O that the kernel knows: who gets it, and what is read and written there.
#include <miniss/core/file_buffer_pool.hh>

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <miniss/core/file.hh>
#include <miniss/core/log.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

constexpr auto for_writing = open_flags::rw | open_flags::create | open_flags::truncate;

// What a shard knows of its file buffers: one entry for each of the two sizes, or none.
std::vector<pool_statistics> file_pools(real_shard& shard) {
    std::vector<pool_statistics> found;
    for (const pool_statistics& each : shard.backend().pools()) {
        if (each.name == std::string_view("file buffers")) {
            found.push_back(each);
        }
    }
    return found;
}

file open_direct(real_shard& shard, const std::string& path) {
    return shard.run([&path] { return open_file_dma(path, for_writing); });
}

// Not on epoll, nor where the file system does no direct I/O. Who is not root may have too little
// memory that he may lock.
bool has_pool(real_shard& shard, const file& opened) {
    const bool is_possible = shard.backend().name() == std::string_view("io_uring") &&
                             opened.disk_read_dma_alignment() != 1;
    if (is_possible && opened.opened()->buffers == nullptr && ::geteuid() != 0) {
        WARN("not tested with registered buffers: see ulimit -l");
        return false;
    }
    return is_possible;
}

// Reads into memory, of which it says that the kernel knows it.
struct claiming_read : internal::plain_call {
    static constexpr const char* name = "read";
    int fd;
    char* into;

    claiming_read(int from, char* memory) noexcept : fd(from), into(memory) {}
    file_request request() const noexcept { return {read_request{fd, into, 4096, 0, true}}; }
};

int error_of_claiming_read(real_shard& shard, const file& from, char* into) {
    return shard.run([&shard, &from, into] {
        return errno_of(internal::make_call(shard.backend(), claiming_read(from.fd(), into)));
    });
}

// While it lives, a limit on locked memory is one for this thread, even as root.
class limited_memory {
    __user_cap_header_struct _header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct _before[2] = {};
    rlimit _limit_before{};

public:
    limited_memory() {
        REQUIRE(::syscall(SYS_capget, &_header, _before) == 0);
        __user_cap_data_struct less[2] = {_before[0], _before[1]};
        less[CAP_IPC_LOCK / 32].effective &= ~(1U << CAP_IPC_LOCK % 32);
        REQUIRE(::syscall(SYS_capset, &_header, less) == 0);
        REQUIRE(::getrlimit(RLIMIT_MEMLOCK, &_limit_before) == 0);
    }
    limited_memory(const limited_memory&) = delete;
    limited_memory& operator=(const limited_memory&) = delete;
    // From now on no more may be locked.
    void forbid() {
        const rlimit none{0, _limit_before.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    }
    ~limited_memory() {
        ::setrlimit(RLIMIT_MEMLOCK, &_limit_before);
        (void)::syscall(SYS_capset, &_header, _before);
    }
};

std::string write_and_read(real_shard& shard, const file& opened, std::size_t size_bytes) {
    const std::string bytes = distinct_bytes(size_bytes);
    auto written = opened.make_buffer(size_bytes);
    std::copy(bytes.begin(), bytes.end(), written.get_write());
    auto read = opened.make_buffer(size_bytes);
    CHECK(shard.run([&] { return opened.dma_write(0, std::move(written)); }) == size_bytes);
    CHECK(shard.run([&] { return opened.dma_read(0, read.get_write(), size_bytes); }) ==
          size_bytes);
    const bool same = read.view() == bytes;
    CHECK(same);
    return bytes;
}

}  // namespace

TEST_CASE("direct I/O of memory that the kernel knows moves the right bytes", "[file_buffer]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::string path = scratch.path("file");
    const std::size_t size_bytes = GENERATE(4096u, 8192u, 65536u, 131072u);
    const file opened = open_direct(shard, path);
    const std::string bytes = write_and_read(shard, opened, size_bytes);
    CHECK(content_of(path) == bytes);
    auto part = shard.run([&] { return opened.dma_read(4000, 50); });
    CHECK(part.view() == bytes.substr(4000, 50));
    const auto pools = file_pools(shard);
    REQUIRE(pools.size() == (has_pool(shard, opened) ? 2 : 0));
    if (!pools.empty()) {
        const bool fits = size_bytes <= file_buffer_pool::piece_bytes_max;
        CHECK(pools[0].taken_count + pools[1].taken_count == (fits ? 3 : 1));
        CHECK(pools[0].held_count() + pools[1].held_count() == 1);
        CHECK(opened.opened()->knows(part.get(), part.size()));
    }
    shard.run([&] { return opened.close(); });
}

TEST_CASE("it is the kernel that knows the memory, and nothing around it", "[file_buffer]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const file opened = open_direct(shard, scratch.path("file"));
    write_and_read(shard, opened, 4096);
    if (has_pool(shard, opened)) {
        auto known = opened.make_buffer(4096);
        auto unknown = temporary_buffer<char>::aligned(4096, 4096);
        CHECK(error_of_claiming_read(shard, opened, known.get_write()) == 0);
        CHECK(error_of_claiming_read(shard, opened, unknown.get_write()) == EFAULT);
        const auto& pool = *opened.opened()->buffers;
        const char* end = pool.memory() + file_buffer_pool::memory_bytes;
        CHECK(pool.holds(pool.memory(), file_buffer_pool::memory_bytes));
        CHECK(pool.holds(end - 1, 1));
        CHECK(!pool.holds(end - 1, 2));
        CHECK(!pool.holds(pool.memory() - 1, 1));
        CHECK(!pool.holds(unknown.get(), 1));
    }
    shard.run([&] { return opened.close(); });
}

TEST_CASE("reads and writes of a pool's memory tell the kernel so", "[file_buffer]") {
    test_shard shard;
    scratch_directory scratch;
    const file opened = shard.run([&] { return open_file(scratch.path("file"), for_writing); });
    file_buffer_pool& pool = *new file_buffer_pool;
    std::string told;
    shard.shard().backend.file_fault = [&told](const file_request& request) {
        const auto* read = std::get_if<read_request>(&request.call);
        const auto* write = std::get_if<write_request>(&request.call);
        told += read != nullptr && read->is_registered     ? "r"
                : write != nullptr && write->is_registered ? "w"
                                                           : ".";
        return std::optional<int>();
    };
    const auto round_trip = [&] {
        told.clear();
        auto bytes = opened.make_buffer(1);
        shard.run([&] { return opened.dma_write(0, bytes.get(), 1); });
        shard.run([&] { return opened.dma_read(0, bytes.get_write(), 1); });
        return told;
    };
    CHECK(round_trip() == "..");
    opened.opened()->buffers = &pool;
    CHECK(round_trip() == "wr");
    pool.abandon();
    opened.opened()->buffers = nullptr;
    shard.run([&] { return opened.close(); });
}

TEST_CASE("a program that opens no file for direct I/O pins no memory", "[file_buffer]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const file opened = shard.run([&] { return open_file(scratch.path("file"), for_writing); });
    write_and_read(shard, opened, 4096);
    CHECK(file_pools(shard).empty());
    shard.run([&] { return opened.close(); });
}

TEST_CASE("once all file buffers are held, others come from the heap", "[file_buffer]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    scratch_directory scratch;
    const std::size_t size_bytes = GENERATE(4096u, 65536u);
    const file opened = open_direct(shard, scratch.path("file"));
    std::vector<temporary_buffer<char>> held;
    for (int i = 0; i < 200; ++i) {
        held.push_back(opened.make_buffer(size_bytes));
    }
    write_and_read(shard, opened, size_bytes);
    if (has_pool(shard, opened)) {
        const pool_statistics full = file_pools(shard)[size_bytes == 4096 ? 0 : 1];
        CHECK(full.held_count() == static_cast<std::int64_t>(full.piece_count));
        CHECK(full.missed_count == 202 - full.piece_count);
        held.clear();
        const pool_statistics empty = file_pools(shard)[size_bytes == 4096 ? 0 : 1];
        CHECK(empty.held_count() == 0);
        CHECK(empty.held_count_max == full.piece_count);
        CHECK(opened.opened()->knows(opened.make_buffer(size_bytes).get(), size_bytes));
    }
    shard.run([&] { return opened.close(); });
}

TEST_CASE("a file buffer may outlive its shard", "[file_buffer]") {
    scratch_directory scratch;
    temporary_buffer<char> kept;
    {
        real_shard shard(GENERATE(from_range(backends_to_test())));
        const file opened = open_direct(shard, scratch.path("file"));
        write_and_read(shard, opened, 4096);
        kept = shard.run([&] { return opened.dma_read(0, 4096); });
        shard.run([&] { return opened.close(); });
    }
    CHECK(kept.view() == distinct_bytes(4096));
}

TEST_CASE("where the kernel will not know memory, direct I/O goes without", "[file_buffer]") {
    scratch_directory scratch;
    set_logger_level("miniss", log_level::debug);
    {
        captured_stderr captured;
        limited_memory memory;
        real_shard shard(GENERATE(from_range(backends_to_test())));
        memory.forbid();
        const bool is_uring = shard.backend().name() == std::string_view("io_uring");
        for (const char* name : {"first", "second"}) {
            const file opened = open_direct(shard, scratch.path(name));
            write_and_read(shard, opened, 65536);
            CHECK(!opened.opened()->knows(opened.make_buffer(1).get(), 1));
            shard.run([&] { return opened.close(); });
        }
        CHECK(file_pools(shard).empty());
        const std::string said = captured.take();
        const std::string words = "direct I/O goes without registered buffers: ";
        const std::size_t first = said.find(words);
        CHECK((first != said.npos) == is_uring);
        CHECK((!is_uring || said.find(words, first + 1) == said.npos));  // Once.
    }
    set_logger_level("miniss", log_level::info);
}
