#include <miniss/smp/placement.hh>

#include <miniss/smp/mailbox.hh>

namespace miniss {

unsigned least_loaded::pick() noexcept {
    const unsigned shard_count = this_smp_shard_count();
    if (shard_count == 1) {
        return 0;
    }
    const mailbox& mail = *this_shard->mail;
    unsigned best = (_last + 1) % shard_count;
    for (unsigned i = 2; i <= shard_count; ++i) {
        const unsigned other = (_last + i) % shard_count;
        if (mail.load_of(other) < mail.load_of(best)) {
            best = other;
        }
    }
    _last = best;
    return best;
}

// Jumps from shard to shard as the number of shards grows, as far as `shard_count`.
unsigned shard_of(std::uint64_t key, unsigned shard_count) noexcept {
    MINISS_ASSERT(shard_count != 0);
    std::int64_t shard = 0;
    std::int64_t next = 0;
    while (next < static_cast<std::int64_t>(shard_count)) {
        shard = next;
        key = key * 2862933555777941757ULL + 1;
        next = static_cast<std::int64_t>(
            static_cast<double>(shard + 1) *
            (static_cast<double>(1LL << 31) / static_cast<double>((key >> 33) + 1)));
    }
    return static_cast<unsigned>(shard);
}

// FNV-1a (Fowler, Noll, Vo), whose high bits are then mixed by the multiplications above.
unsigned shard_of(std::string_view key, unsigned shard_count) noexcept {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char each : key) {
        hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211ULL;
    }
    return shard_of(hash, shard_count);
}

}  // namespace miniss
