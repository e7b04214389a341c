// What reading and writing files costs, a block at a time, and what of that is our own.
#include <miniss/core/file_system.hh>

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/bench/shard.hh>
#include <miniss/core/loop.hh>

using namespace miniss;
using namespace miniss::bench;

namespace {

using count = std::uint64_t;

// As in bench/file_peer, which has fio do the same.
constexpr std::size_t block_bytes = 4096;
constexpr std::size_t block_count = 4096;
constexpr count depth = 16;

// A file of 16 MiB, none of it a hole. Somewhere on a disk, so not in /tmp.
class scratch_file {
    std::string _path;

public:
    scratch_file() {
        const char* wanted = std::getenv("TMPDIR");
        _path = std::string(wanted == nullptr ? "/var/tmp" : wanted) + "/miniss-bench-XXXXXX";
        const int fd = ::mkstemp(_path.data());
        const std::string bytes(block_bytes * block_count, 'x');
        const bool whole =
            fd >= 0 &&
            ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
            ::fdatasync(fd) == 0;  // Not while it is measured.
        ::close(fd);
        if (!whole) {
            ::unlink(_path.c_str());
            throw std::runtime_error("cannot write " + _path);
        }
    }
    scratch_file(const scratch_file&) = delete;
    scratch_file& operator=(const scratch_file&) = delete;
    ~scratch_file() { ::unlink(_path.c_str()); }

    static const std::string& path() {
        static const scratch_file made;
        return made._path;
    }
};

enum class direction { read, write };
enum class order { sequential, random };
enum class caching { buffered, direct, registered };

// Blocks of one file, `depth` of them at a time.
template <direction Direction, order Order>
class transfer {
    file _file;
    count _left_count;
    count _done_count = 0;
    std::uint64_t _position = 1;
    std::vector<temporary_buffer<char>> _lanes;

public:
    transfer(file target, caching how, count rounds)
        : _file(std::move(target)), _left_count(rounds) {
        for (count i = 0; i < depth; ++i) {
            _lanes.push_back(how == caching::registered
                                 ? _file.make_buffer(block_bytes)
                                 : temporary_buffer<char>::aligned(block_bytes, block_bytes));
            std::fill_n(_lanes.back().get_write(), block_bytes, 'y');
        }
    }

    future<count> run() {
        return parallel_for_each(_lanes,
                                 [this](temporary_buffer<char>& lane) {
                                     return do_until([this] { return _left_count == 0; },
                                                     [this, memory = lane.get_write()] {
                                                         --_left_count;
                                                         return move_block(memory).then(
                                                             [this](std::size_t bytes) {
                                                                 _done_count +=
                                                                     bytes == block_bytes ? 1 : 0;
                                                             });
                                                     });
                                 })
            .then([this] { return _done_count; });
    }

private:
    future<std::size_t> move_block(char* memory) noexcept {
        const std::uint64_t offset = next_block() * block_bytes;
        if constexpr (Direction == direction::read) {
            return _file.dma_read(offset, memory, block_bytes);
        } else {
            return _file.dma_write(offset, static_cast<const char*>(memory), block_bytes);
        }
    }
    std::uint64_t next_block() noexcept {
        if constexpr (Order == order::random) {
            _position = _position * 6364136223846793005U + 1442695040888963407U;
            return (_position >> 33) % block_count;
        }
        return _position++ % block_count;
    }
};

template <direction Direction, order Order, caching Caching>
future<count> move_blocks(trial& each) {
    constexpr auto flags = Direction == direction::read ? open_flags::ro : open_flags::wo;
    const auto open = Caching == caching::buffered ? open_file : open_file_dma;
    return open(scratch_file::path(), flags, {}).then([&each](file opened) {
        return do_with(transfer<Direction, Order>(opened, Caching, each.rounds),
                       [&each](auto& blocks) {
                           each.start();
                           return blocks.run();
                       })
            .then([&each, opened](count done_count) {
                each.stop();
                return opened.close().then([done_count] { return done_count; });
            });
    });
}

// Has done every file operation that it was asked for by the time it is asked whether.
class obliging_backend final : public io_backend {
    std::vector<io_completion*> _asked;

public:
    obliging_backend() { _asked.reserve(depth); }

    void submit(const io_op&, io_completion& waiter) noexcept override {
        _asked.push_back(&waiter);
    }
    bool poll() noexcept override {
        while (!_asked.empty()) {
            io_completion& waiter = *_asked.back();
            _asked.pop_back();
            io_result result;
            result.value = block_bytes;
            waiter.complete(std::move(result));
        }
        return true;
    }
    void cancel(io_completion&) noexcept override {}
    void cancel_all() noexcept override {}
    std::size_t operations_in_flight() const noexcept override { return _asked.size(); }
    void wait_until(steady_clock::time_point) noexcept override { (void)poll(); }
    void wake() noexcept override {}
    steady_clock::time_point now() const noexcept override { return steady_clock::now(); }
    system_clock::time_point time_of_day() const noexcept override { return system_clock::now(); }
    socket_calls& sockets() noexcept override { return engine().backend().sockets(); }
    const char* name() const noexcept override { return "obliging"; }
};

// All of a read but the kernel, and our few instructions that talk to it.
count set_up(trial& each) {
    obliging_backend backend;
    const file opened(*new internal::open_file(backend, -1));
    char memory[8];
    each.start();
    const count done_count = each.sum([&] {
        auto read = opened.dma_read(0, memory, block_bytes);
        (void)backend.poll();
        return read.get() / block_bytes;
    });
    each.stop();
    (void)opened.close();
    (void)backend.poll();
    return done_count;
}

template <direction Direction, order Order, caching Caching>
constexpr auto blocks = on_shard<move_blocks<Direction, Order, Caching>>;

}  // namespace

int main(int argc, char** argv) {
    using enum direction;
    using enum order;
    using enum caching;
    return run_benchmarks(argc, argv,
                          {
                              {"set_up", on_shard<set_up>},
                              {"read_buffered", blocks<read, sequential, buffered>},
                              {"randread_buffered", blocks<read, random, buffered>},
                              {"write_buffered", blocks<write, sequential, buffered>},
                              {"randwrite_buffered", blocks<write, random, buffered>},
                              {"read_direct", blocks<read, sequential, direct>},
                              {"randread_direct", blocks<read, random, direct>},
                              {"write_direct", blocks<write, sequential, direct>},
                              {"randwrite_direct", blocks<write, random, direct>},
                              {"read_registered", blocks<read, sequential, registered>},
                              {"randread_registered", blocks<read, random, registered>},
                              {"write_registered", blocks<write, sequential, registered>},
                              {"randwrite_registered", blocks<write, random, registered>},
                          });
}
