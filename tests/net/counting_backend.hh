// A backend that counts what it passes on to the real one.
#pragma once

#include <memory>

#include <miniss/core/backend_choice.hh>
#include <miniss/core/kernel_sockets.hh>

namespace miniss {

// The calls about datagrams, each of which moves many.
class counting_sockets final : public kernel_sockets {
public:
    std::size_t datagram_send_count = 0;
    std::size_t datagram_receive_count = 0;

    using kernel_sockets::kernel_sockets;
    int send_datagrams(int fd, std::span<const outgoing_datagram> out) noexcept override {
        ++datagram_send_count;
        return kernel_sockets::send_datagrams(fd, out);
    }
    int receive_datagrams(int fd, std::span<received_datagram> into) noexcept override {
        ++datagram_receive_count;
        return kernel_sockets::receive_datagrams(fd, into);
    }
};

class counting_backend final : public io_backend {
    std::unique_ptr<io_backend> _real;
    counting_sockets _sockets;
    std::size_t& _send_count;

public:
    // Lifetime: `send_count` outlives the backend.
    counting_backend(backend_kind kind, std::size_t& send_count)
        : _real(make_backend(kind)),
          _sockets(kind == backend_kind::epoll),
          _send_count(send_count) {}

    void submit(const io_op& op, io_completion& waiter) noexcept override {
        _send_count += std::holds_alternative<send_op>(op) ? 1u : 0u;
        _real->submit(op, waiter);
    }
    void cancel(io_completion& waiter) noexcept override { _real->cancel(waiter); }
    void cancel_all() noexcept override { _real->cancel_all(); }
    std::size_t operations_in_flight() const noexcept override {
        return _real->operations_in_flight();
    }
    bool poll() noexcept override { return _real->poll(); }
    void wait_until(steady_clock::time_point deadline) noexcept override {
        _real->wait_until(deadline);
    }
    void wake() noexcept override { _real->wake(); }
    steady_clock::time_point now() const noexcept override { return _real->now(); }
    system_clock::time_point time_of_day() const noexcept override { return _real->time_of_day(); }
    counting_sockets& sockets() noexcept override { return _sockets; }
    const char* name() const noexcept override { return _real->name(); }
};

}  // namespace miniss
