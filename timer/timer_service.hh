// All armed timers of one shard.
#pragma once

#include <miniss/core/reactor.hh>
#include <miniss/timer/clocks.hh>
#include <miniss/timer/timer_wheel.hh>

namespace miniss {

// Runs what is due, once a turn, and tells the reactor how long it may sleep. Nothing ticks while
// nothing is armed.
//
// Lifetime: the reactor outlives it.
// Shard:    the reactor's.
class timer_service final : public poller {
    reactor& _reactor;
    internal::timer_wheel _steady;
    internal::timer_wheel _manual;
    internal::timer_list _expired;
    bool _stopped = false;

public:
    explicit timer_service(reactor& of_shard);
    ~timer_service();

    // Arms for node.expiry on the wheel of Clock.
    template <typename Clock>
    void arm(internal::expiring& node) noexcept;

    // What durations are counted from.
    template <typename Clock>
    typename Clock::time_point now() const noexcept;

    // True once the shard stops: what is armed now will never expire.
    bool stopped() const noexcept { return _stopped; }

    bool poll() noexcept override;
    steady_clock::time_point next_deadline() noexcept override;
    void stop() noexcept override;

private:
    void abandon_all(internal::timer_wheel& wheel) noexcept;
};

template <>
inline void timer_service::arm<steady_clock>(internal::expiring& node) noexcept {
    _steady.insert(node);
}
template <>
inline void timer_service::arm<lowres_clock>(internal::expiring& node) noexcept {
    _steady.insert(node);
}
template <>
inline void timer_service::arm<manual_clock>(internal::expiring& node) noexcept {
    _manual.insert(node);
}
template <>
inline steady_clock::time_point timer_service::now<steady_clock>() const noexcept {
    return _reactor.backend().now();
}
template <>
inline lowres_clock::time_point timer_service::now<lowres_clock>() const noexcept {
    return lowres_clock::time_point(_reactor.now().time_since_epoch());
}
template <>
inline manual_clock::time_point timer_service::now<manual_clock>() const noexcept {
    return manual_clock::now();
}

// This shard's.
inline timer_service& local_timers() noexcept {
    MINISS_ASSERT(this_shard != nullptr && this_shard->timers != nullptr);
    return *this_shard->timers;
}

}  // namespace miniss
