// A connection of the simulated network: two byte streams, with all that can befall them.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>

#include <miniss/tests/sim/sim_clock.hh>
#include <miniss/tests/sim/sim_random.hh>

namespace miniss::sim {

struct network_options {
    // How long bytes, and news of an end, are on their way at most.
    std::chrono::nanoseconds latency_max = std::chrono::microseconds(200);
    // How much one side may send before the other has taken any of it.
    std::size_t window_bytes = 65536;
    // The longest piece that one completion of a receive_op brings.
    std::size_t receive_bytes_max = 8192;
    // How many of a hundred datagrams get lost, and how many wait to be received.
    unsigned datagram_loss_percent = 0;
    std::size_t datagram_count_max = 256;
    // Whether files may be in memory, by a coin, when they are sent.
    bool caches_files = true;
    // Descriptors of the process; EMFILE beyond that.
    std::size_t descriptor_count_max = 1'000'000;
};

// Both ends of one TCP connection. Sides are numbered 0 (who connected) and 1 (who accepted).
//
// Bytes arrive in order, after a while and in pieces. What makes TCP hard to use is modelled:
// closing with unread bytes resets the connection, as does sending to somebody who has closed,
// and a reset may destroy bytes that had arrived already (RFC 9112, section 9.6).
class sim_connection {
    struct piece {
        std::string bytes;
        steady_clock::time_point due;
    };
    // What one side has sent and the other has not taken.
    struct stream {
        std::deque<piece> pieces;
        std::size_t byte_count = 0;
        steady_clock::time_point last_due{};
        std::optional<steady_clock::time_point> end;  // From then on the other sees the end.
    };
    struct end {
        stream sent;
        bool closed = false;
        bool receives = true;
        std::optional<steady_clock::time_point> reset;  // From then on it knows of a reset,
        bool reset_loses_bytes = false;                 // before or after what had arrived.
        steady_clock::time_point paused_until{};
    };

    sim_clock& _clock;
    sim_random& _random;
    const network_options& _options;
    std::array<end, 2> _ends;

public:
    sim_connection(sim_clock& clock, sim_random& random, const network_options& options) noexcept
        : _clock(clock), _random(random), _options(options) {}

    // How many of the bytes were taken, or -errno; nothing if it would wait.
    std::optional<int> send(unsigned side, const char* data, std::size_t size_bytes);

    // A piece, 0 for the end, or -errno; nothing if it would wait.
    std::optional<io_result> receive(unsigned side);
    bool readable(unsigned side) const noexcept;
    bool writable(unsigned side) const noexcept;

    void shutdown(unsigned side, int how);
    void close(unsigned side);

    // The network loses the connection: both sides are reset, and bytes on the way are lost.
    void cut() noexcept;

private:
    bool is_past(std::optional<steady_clock::time_point> moment) const noexcept {
        return moment && *moment <= _clock.now();
    }
    bool is_paused(end& mine);
    void finish(end& mine);
    void reset(end& mine);
    temporary_buffer<char> take(stream& from);
};

}  // namespace miniss::sim
