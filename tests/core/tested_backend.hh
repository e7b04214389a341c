// Any io_backend, the real ones and the simulated one, with what a test needs to drive it.
#pragma once

#include <netinet/in.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <miniss/core/io_backend.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/sim/sim_world.hh>

namespace miniss {

// Writes down what an operation completes with.
class recorder final : public io_completion {
public:
    std::vector<int> values;
    std::string bytes;  // Of receives.
    bool done = false;  // No more will come.
    // Not only the bytes: keeps the buffers themselves.
    bool keeps_buffers = false;
    std::vector<temporary_buffer<char>> kept;
    // Called last.
    std::function<void()> then = [] {};

    void complete(io_result&& result) noexcept override;
    int last() const { return values.empty() ? 1 : values.back(); }
};

class tested_backend {
    Catch::ScopedMessage _name;  // Part of every failure.
    std::unique_ptr<sim::sim_world> _world;
    std::unique_ptr<io_backend> _real;
    io_backend* _backend;
    std::deque<recorder> _recorders;
    std::vector<int> _open;
    std::size_t _open_before;
    std::optional<std::size_t> _forbidden_limit;  // The one before, if they are forbidden.

public:
    // The real backends, as far as the environment MINISS_TEST_BACKEND and the kernel allow.
    static std::vector<std::string> real_names();
    // The same, and the simulated one with some seeds.
    static std::vector<std::string> names();

    explicit tested_backend(const std::string& name);
    // Cancels what is under way and checks that no operation and no descriptor is left.
    ~tested_backend();

    io_backend& operator*() noexcept { return *_backend; }
    io_backend* operator->() noexcept { return _backend; }
    bool simulated() const noexcept { return _world != nullptr; }
    // More than all buffers between two ends can hold.
    std::size_t too_much_bytes() const noexcept { return simulated() ? 300'000 : 20'000'000; }

    // Starts an operation; the recorder lives as long as this.
    recorder& start(const io_op& op);
    recorder& make_recorder() { return _recorders.emplace_back(); }

    // Runs the backend until done(). Fails the test if that takes 20 s.
    template <typename Done>
    void run_until(Done&& done) {
        const auto deadline = _backend->now() + std::chrono::seconds(20);
        while (!done()) {
            if (_backend->now() >= deadline) {
                FAIL("it takes too long");
            }
            _backend->wait_until(deadline);
        }
    }
    void finish(const recorder& record) {
        run_until([&record] { return record.done; });
    }
    // Gives everything that can happen now the chance to do so.
    void settle();

    // All are closed at the end, if not before.
    int open_tcp() { return keep(_backend->sockets().open(AF_INET, SOCK_STREAM)); }
    int listen(int backlog = 128);
    std::pair<int, int> unix_pair();
    std::pair<int, int> tcp_pair();
    int keep(int fd);
    void close(int fd);

    // The address to connect to. Valid until the next call.
    connect_op connect_to(int fd, int listener);
    // Sends all of `bytes`; what it completed with.
    int send(int fd, std::string_view bytes);

    // Lets no more descriptors be made, until they are allowed again.
    void forbid_descriptors();
    void allow_descriptors();

private:
    std::size_t descriptor_count() const;
    std::deque<sockaddr_in> _addresses;
};

}  // namespace miniss
