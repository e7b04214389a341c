#include <miniss/timer/timer_wheel.hh>

#include <algorithm>
#include <bit>

namespace miniss::internal {

namespace {

bool expires_earlier(const timer_node& a, const timer_node& b) noexcept {
    return a.expiry < b.expiry;
}

}  // namespace

// The bucket of a node that is not due.
unsigned timer_wheel::bucket_of(std::int64_t expiry) const noexcept {
    // With the sign bit flipped, unsigned order is signed order.
    constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
    const std::uint64_t digits = static_cast<std::uint64_t>(expiry) ^ sign_bit;
    const std::uint64_t difference = static_cast<std::uint64_t>(expiry ^ _now);
    const unsigned highest_bit = 63U - static_cast<unsigned>(std::countl_zero(difference));
    const unsigned bits_below = highest_bit / digit_bits * digit_bits;
    const unsigned slot = static_cast<unsigned>(digits >> bits_below) % slot_count;
    return bits_below * (slot_count / digit_bits) + slot;
}

// The bucket of that number, to which a node with this expiry is about to be added.
timer_wheel::bucket& timer_wheel::filled_bucket(unsigned index, std::int64_t expiry) noexcept {
    bucket& filled = _buckets[index];
    filled.earliest = filled.nodes.empty() ? expiry : std::min(filled.earliest, expiry);
    _occupied[index / word_bits] |= std::uint64_t{1} << (index % word_bits);
    return filled;
}

// The one with the earliest nodes, or bucket_count.
unsigned timer_wheel::first_bucket() noexcept {
    for (unsigned word = 0; word < _occupied.size(); ++word) {
        while (_occupied[word] != 0) {
            const unsigned bit = static_cast<unsigned>(std::countr_zero(_occupied[word]));
            const unsigned index = word * word_bits + bit;
            if (!_buckets[index].nodes.empty()) {
                return index;
            }
            _occupied[word] &= _occupied[word] - 1;
        }
    }
    return bucket_count;
}

// The first moment of the range that a bucket with nodes stands for.
std::int64_t timer_wheel::start_of(unsigned index) const noexcept {
    const unsigned level = index / slot_count;
    return _buckets[index].earliest & -(std::int64_t{1} << (level * digit_bits));
}

void timer_wheel::insert(timer_node& node) noexcept {
    MINISS_ASSERT(!node.is_linked());
    if (node.expiry <= _now) {
        _due.push_back(node);
        return;
    }
    const unsigned index = bucket_of(node.expiry);
    filled_bucket(index, node.expiry).nodes.push_back(node);
    _quiet_until = std::min(_quiet_until, start_of(index));
}

void timer_wheel::enter_buckets(std::int64_t now, timer_list& expired) noexcept {
    // Only nodes that were due when they were inserted can be out of order.
    if (!std::is_sorted(_due.begin(), _due.end(), expires_earlier)) {
        _due.sort(expires_earlier);
    }
    unsigned index = first_bucket();
    for (; index != bucket_count && start_of(index) <= now; index = first_bucket()) {
        // Going no further than the earliest node at once keeps them in order.
        bucket& entered = _buckets[index];
        _now = std::min(now, entered.earliest);
        while (!entered.nodes.empty()) {
            const std::int64_t expiry = entered.nodes.front().expiry;
            timer_list& nearer =
                expiry <= _now ? _due : filled_bucket(bucket_of(expiry), expiry).nodes;
            nearer.splice(nearer.end(), entered.nodes, entered.nodes.begin());
        }
    }
    expired.splice(expired.end(), _due);
    _now = now;
    _quiet_until =
        index == bucket_count ? std::numeric_limits<std::int64_t>::max() : start_of(index);
}

std::int64_t timer_wheel::next_expiry() noexcept {
    if (!_due.empty()) {
        return _now;
    }
    const unsigned index = first_bucket();
    return index == bucket_count ? std::numeric_limits<std::int64_t>::max()
                                 : _buckets[index].earliest;
}

}  // namespace miniss::internal
