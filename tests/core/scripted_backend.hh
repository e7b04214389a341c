// A backend without I/O whose clock and waits are written down by the test.
#pragma once

#include <deque>
#include <functional>

#include <miniss/core/io_backend.hh>

namespace miniss {

class scripted_backend final : public io_backend {
public:
    steady_clock::time_point time{std::chrono::seconds(1)};
    // How far each look at the clock moves it.
    std::chrono::nanoseconds time_of_a_look{0};
    mutable std::size_t look_count = 0;

    std::function<bool()> on_poll = [] { return false; };
    std::function<void(steady_clock::time_point deadline)> on_wait = [](steady_clock::time_point) {
    };
    std::size_t poll_count = 0;
    std::size_t wait_count = 0;

    // As if operations were under way; each cancel_all() ends one.
    std::size_t in_flight_count = 0;
    std::size_t cancel_count = 0;

    void submit(const io_op&, io_completion&) noexcept override {}
    void cancel(io_completion&) noexcept override {}
    void cancel_all() noexcept override {
        ++cancel_count;
        --in_flight_count;
    }
    std::size_t operations_in_flight() const noexcept override { return in_flight_count; }
    bool poll() noexcept override {
        ++poll_count;
        return on_poll();
    }
    void wait_until(steady_clock::time_point deadline) noexcept override {
        ++wait_count;
        on_wait(deadline);
    }
    void wake() noexcept override {}
    steady_clock::time_point now() const noexcept override {
        ++look_count;
        return const_cast<scripted_backend*>(this)->time += time_of_a_look;
    }
    system_clock::time_point time_of_day() const noexcept override { return {}; }
    socket_calls& sockets() noexcept override { std::abort(); }
    const char* name() const noexcept override { return "scripted"; }
};

}  // namespace miniss
