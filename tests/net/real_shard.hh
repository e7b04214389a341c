// One shard on the real kernel, on the test's own thread: for what a simulation cannot know.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include <miniss/core/backend_choice.hh>
#include <miniss/core/reactor.hh>
#include <miniss/tests/catch.hh>
#include <miniss/timer/timer_service.hh>

namespace miniss {

// The one that MINISS_TEST_BACKEND names, or all that this machine has.
inline std::vector<backend_kind> backends_to_test() {
    const char* named = std::getenv("MINISS_TEST_BACKEND");
    const std::string_view wanted = named == nullptr ? "" : named;
    std::vector<backend_kind> kinds;
    if (wanted != "epoll") {
        try {
            kinds.push_back(choose_backend(backend_kind::io_uring).kind);
        } catch (const std::system_error& error) {
            WARN("not tested on io_uring: " << error.what());
        }
    }
    if (wanted != "io_uring") {
        kinds.push_back(backend_kind::epoll);
    }
    return kinds;
}

// While it lives, the thread plays its shard. Destroying it stops it.
class real_shard {
    // Nothing that a test waits for takes longer, even on a busy machine.
    static constexpr std::chrono::seconds patience{60};
    // The other ends of connections are plain sockets, about which the backend knows nothing.
    static constexpr std::chrono::milliseconds nap{1};

    shard_context _context;
    std::unique_ptr<io_backend> _backend;
    reactor _loop;
    timer_service _timers;
    shard_context* _before = std::exchange(this_shard, &_context);

public:
    explicit real_shard(backend_kind kind) : real_shard(make_backend(kind)) {}
    explicit real_shard(std::unique_ptr<io_backend> backend)
        : _backend(std::move(backend)), _loop(_context, *_backend), _timers(_loop) {}
    real_shard(const real_shard&) = delete;
    real_shard& operator=(const real_shard&) = delete;
    ~real_shard() {
        stop();
        this_shard = _before;
    }

    // Cancels what is under way, as at the end of a program, and runs what is left.
    void stop() noexcept {
        _loop.stop();
        _loop.run();
    }

    io_backend& backend() noexcept { return *_backend; }

    // Runs turns until done() is true. It is asked between turns.
    template <std::predicate Done>
    void run_until(Done&& done) {
        const auto limit = steady_clock::now() + patience;
        while (!done()) {
            if (!_loop.run_one_turn()) {
                const auto now = steady_clock::now();
                if (now > limit) {
                    throw std::runtime_error("what the test waits for does not come");
                }
                _backend->wait_until(std::min(_loop.next_deadline(), now + nap));
            }
        }
    }

    // Calls body(), runs the shard until the future that it returned is ready, and gives its
    // value or throws its error.
    template <typename Func>
    auto run(Func body) {
        using result = futurize_t<std::invoke_result_t<Func&>>;
        const auto outcome = std::make_shared<std::optional<result>>();
        (void)futurize_invoke(body).then_wrapped(
            [outcome](result ended) { outcome->emplace(std::move(ended)); });
        run_until([&outcome] { return outcome->has_value(); });
        return (*outcome)->get();
    }

    // Runs until nothing is under way any more: whatever was dropped is closed by then.
    void run_until_idle() {
        run_until(
            [this] { return _backend->operations_in_flight() == 0 && !_loop.run_one_turn(); });
    }
};

}  // namespace miniss
