// The datagrams of the simulated network: each may be late, overtaken by others, or lost.
#include <algorithm>
#include <cerrno>

#include <miniss/core/assert.hh>
#include <miniss/tests/sim/sim_network.hh>

namespace miniss::sim {

namespace {

constexpr std::size_t datagram_bytes_max = 65507;  // Of UDP over IPv4.

}  // namespace

// True from when the news has come that nobody was there, until somebody was told.
bool sim_network::has_refusal(sim_socket& asked) noexcept {
    return asked.refused && *asked.refused <= _clock.now();
}

bool sim_network::writable(int fd) {
    const sim_socket& asked = socket_of(fd);
    MINISS_ASSERT(asked.datagrams || asked.connection != nullptr);
    return asked.datagrams || asked.connection->writable(asked.side);
}

int sim_network::send_datagrams(int fd, std::span<const outgoing_datagram> out) noexcept {
    sim_socket& from = socket_of(fd);
    int sent_count = 0;
    for (const outgoing_datagram& each : out) {
        const int error = send_datagram(from, each);
        if (error != 0) {
            return sent_count != 0 ? sent_count : error;
        }
        ++sent_count;
        if (_random.coin()) {
            break;
        }
    }
    return sent_count;
}

int sim_network::send_datagram(sim_socket& from, const outgoing_datagram& out) {
    if (has_refusal(from)) {
        from.refused.reset();
        return -ECONNREFUSED;
    }
    const sim_address to = out.to == nullptr ? from.remote : sim_address(out.to, out.to_bytes);
    if (to.empty()) {
        return -EDESTADDRREQ;
    }
    if (out.data.size() > datagram_bytes_max) {
        return -EMSGSIZE;
    }
    if (from.local.empty()) {
        bind_to(from, sim_address::loopback(from.family));
    }
    deliver(from, to, out.data);
    return 0;
}

void sim_network::deliver(sim_socket& from, const sim_address& to, std::string_view bytes) {
    const auto due = _clock.in(_random.delay(options.latency_max));
    if (_random.pick(100) >= 100 - std::min(options.datagram_loss_percent, 100u)) {
        return;
    }
    for (auto& [fd, each] : _sockets) {
        if (each.datagrams && !each.local.empty() && each.local.covers(to)) {
            const bool heard = each.remote.empty() || each.remote.covers(from.local);
            if (heard && each.inbox.size() < options.datagram_count_max) {
                each.inbox.push_back({from.local, std::string(bytes), due});
            }
            return;
        }
    }
    if (!from.remote.empty()) {  // Only who is connected hears of it.
        from.refused = due;
    }
}

int sim_network::receive_datagrams(int fd, std::span<received_datagram> into) noexcept {
    sim_socket& asked = socket_of(fd);
    if (has_refusal(asked)) {
        asked.refused.reset();
        return -ECONNREFUSED;
    }
    int count = 0;
    for (received_datagram& each : into) {
        const auto next = std::find_if(
            asked.inbox.begin(), asked.inbox.end(),
            [this](const sim_datagram& arrived) { return arrived.due <= _clock.now(); });
        if (next == asked.inbox.end()) {
            break;
        }
        each.from_bytes = sizeof each.from;
        next->from.copy_to(reinterpret_cast<sockaddr*>(&each.from), &each.from_bytes);
        each.data = temporary_buffer<char>(next->bytes.data(), next->bytes.size());
        each.truncated = false;
        asked.inbox.erase(next);
        ++count;
    }
    return count != 0 ? count : -EAGAIN;
}

}  // namespace miniss::sim
