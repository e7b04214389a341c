// The io_backend of one simulated shard: no system call, no thread, no real time.
#pragma once

#include <functional>
#include <list>
#include <optional>

#include <miniss/core/file_request.hh>
#include <miniss/core/reactor.hh>
#include <miniss/tests/sim/sim_network.hh>

namespace miniss::sim {

// Tries every operation in each poll(), in an order drawn from the world's seed.
//
// Files are the real ones; what is simulated is how long they take, and short reads and writes.
//
// A cancelled operation may still get some of its work done first, as in the kernel.
class sim_backend final : public io_backend {
    struct operation {
        io_completion* waiter;
        bool cancelled = false;
        std::size_t done_bytes = 0;         // Of a send.
        steady_clock::time_point due = {};  // Of a file's.
    };
    using operation_list = std::list<operation>;
    using entry = operation_list::iterator;

    sim_clock& _clock;
    sim_random& _random;
    sim_network& _network;
    operation_list _operations;
    bool _woken = false;
    mutable std::size_t _question_count = 0;  // In this turn.
    mutable std::size_t _question_total = 0;

public:
    sim_backend(sim_clock& clock, sim_random& random, sim_network& network) noexcept
        : _clock(clock), _random(random), _network(network) {}
    ~sim_backend() override;

    // How long a file operation takes at most.
    static constexpr std::chrono::nanoseconds file_latency_max = std::chrono::microseconds(200);
    // For tests: what a file operation fails with (-errno) instead of being done.
    std::function<std::optional<int>(const file_request&)> file_fault = [](const file_request&) {
        return std::nullopt;
    };

    // How often a turn may ask for the time.
    static constexpr std::size_t question_count_max = 10'000;

    // The world is about to let the shard run one turn.
    void begin_turn() noexcept { _question_count = 0; }
    // How often all turns so far have asked for the time: a measure of how long loops were.
    std::size_t question_total() const noexcept { return _question_total; }

    void submit(const io_op& op, io_completion& waiter) noexcept override;
    void cancel(io_completion& waiter) noexcept override;
    void cancel_all() noexcept override;
    std::size_t operations_in_flight() const noexcept override { return _operations.size(); }

    // True if anything was completed, or sent.
    bool poll() noexcept override;

    // For a world of one shard whose reactor::run() is called: moves the time on.
    void wait_until(steady_clock::time_point deadline) noexcept override;
    void wake() noexcept override { _woken = true; }

    // Who asks very often within one turn is told that the time slice has passed, or else a loop
    // that is always ready would never end its turn. The world's own time does not move by that.
    steady_clock::time_point now() const noexcept override {
        ++_question_total;
        const bool slice_is_over = ++_question_count > question_count_max;
        return _clock.now() + (slice_is_over ? reactor::time_slice : std::chrono::microseconds(0));
    }
    system_clock::time_point time_of_day() const noexcept override { return _clock.time_of_day(); }
    socket_calls& sockets() noexcept override { return _network; }
    const char* name() const noexcept override { return "simulated"; }

private:
    // Each is true if the operation has come any further.
    bool attempt(entry tried);
    bool attempt_plain(entry tried, std::optional<int> result);
    bool attempt_receive(entry tried, const receive_op& op);
    bool attempt_send(entry tried, const send_op& op);
    bool attempt_file(entry tried, const file_op& op);
    std::size_t file_piece(std::size_t size_bytes) noexcept;
    void finish(entry finished, io_result&& result);
};

}  // namespace miniss::sim
