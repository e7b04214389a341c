#include <miniss/timer/timer_service.hh>

#include <limits>

#include <miniss/core/assert.hh>

namespace miniss {

namespace {

template <typename TimePoint>
std::int64_t nanoseconds_of(TimePoint moment) noexcept {
    return std::chrono::nanoseconds(moment.time_since_epoch()).count();
}

}  // namespace

bool internal::arm_steady(expiring& node) noexcept {
    timer_service& timers = local_timers();
    if (timers.stopped()) {
        return false;
    }
    timers.arm<steady_clock>(node);
    return true;
}

std::int64_t internal::steady_nanoseconds() noexcept {
    return nanoseconds_of(local_timers().now<steady_clock>());
}

timer_service::timer_service(reactor& of_shard)
    : _reactor(of_shard),
      _steady(nanoseconds_of(of_shard.now())),
      _manual(nanoseconds_of(manual_clock::now())) {
    _reactor.context().timers = this;
    _reactor.add_poller(*this);
}

timer_service::~timer_service() {
    _reactor.remove_poller(*this);
    _reactor.context().timers = nullptr;
}

// Callbacks may arm, cancel and destroy any timer, also one that is due in the same batch: until
// its turn comes it waits in _expired, from where it unlinks itself.
bool timer_service::poll() noexcept {
    if (_stopped) {
        return false;
    }
    _steady.advance(nanoseconds_of(_reactor.now()), _expired);
    _manual.advance(nanoseconds_of(manual_clock::now()), _expired);
    if (_expired.empty()) {
        return false;
    }
    do {
        auto& due = static_cast<internal::expiring&>(_expired.front());
        _expired.pop_front();
        due.expire();
    } while (!_expired.empty() && !need_preempt());
    return true;
}

steady_clock::time_point timer_service::next_deadline() noexcept {
    if (_stopped) {
        return steady_clock::time_point::max();
    }
    const bool manual_is_due = _manual.next_expiry() <= nanoseconds_of(manual_clock::now());
    if (!_expired.empty() || manual_is_due) {
        return _reactor.now();
    }
    return steady_clock::time_point(std::chrono::nanoseconds(_steady.next_expiry()));
}

void timer_service::stop() noexcept {
    _stopped = true;
    abandon_all(_steady);
    abandon_all(_manual);
}

void timer_service::abandon_all(internal::timer_wheel& wheel) noexcept {
    internal::timer_list left;
    wheel.advance(std::numeric_limits<std::int64_t>::max(), left);
    left.splice(left.begin(), _expired);
    while (!left.empty()) {
        auto& node = static_cast<internal::expiring&>(left.front());
        left.pop_front();
        node.abandon();
    }
}

}  // namespace miniss
