// What happens at a moment. The core only declares it: timer/ keeps these and makes them happen, as
// the reactor runs what task.hh declares.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <cstdint>

namespace miniss::internal {

class timer_wheel;

using timer_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<timer_wheel>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// One timer's place in a wheel, or in a list of expired timers.
//
// is_linked() says whether it is in one of them. unlink() takes it out of whichever it is in, and
// does nothing when it is in none; so a timer can be cancelled up to the start of its callback.
//
// Units:    `expiry` is in nanoseconds since the epoch of the wheel's clock.
// Lifetime: destroying a linked node unlinks it. Moving one hands its place to the new node.
// Cost:     unlink() is O(1) and needs no wheel.
struct timer_node : timer_hook {
    timer_node() = default;
    timer_node(timer_node&& other) noexcept : expiry(other.expiry) { swap_nodes(other); }
    timer_node& operator=(timer_node&&) = delete;

    // Must not change while the node is linked.
    std::int64_t expiry = 0;
};

// What a shard's timers call when a moment has come.
class expiring : public timer_node {
public:
    // The node is unlinked; it may be armed again, or destroyed. Not before node.expiry.
    virtual void expire() noexcept = 0;

    // The shard stops, and the moment will never come.
    virtual void abandon() noexcept {}

protected:
    expiring() = default;
    expiring(expiring&&) noexcept = default;
    ~expiring() = default;
};

// Has node.expire() called when the steady clock of this shard has reached node.expiry. False if
// the shard stops, so that it never would be.
bool arm_steady(expiring& node) noexcept;

// What the steady clock of this shard says now, in nanoseconds since its epoch.
std::int64_t steady_nanoseconds() noexcept;

}  // namespace miniss::internal
