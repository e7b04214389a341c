// Service groups: how many calls of one kind may be under way between two shards.
#pragma once

#include <memory>
#include <vector>

#include <miniss/core/semaphore.hh>

namespace miniss {

// Names a group, on every shard. Made by create_smp_service_group(); the default one has no limit.
//
// A shard may have only so many calls of a group on their way to each other shard; further ones
// wait for their turn, in order. So a busy caller cannot crowd out the others.
//
// Calls that make calls need groups of their own: within one group, calls that wait for calls in a
// circle could all be waiting for each other's places. Number the groups and let a call of group k
// only make calls of groups above k, and there is always one that can go on.
class smp_service_group {
    unsigned _id = 0;

    explicit smp_service_group(unsigned id) noexcept : _id(id) {}
    friend future<smp_service_group> create_smp_service_group(
        struct smp_service_group_config config) noexcept;

public:
    smp_service_group() noexcept = default;
    unsigned id() const noexcept { return _id; }
    bool operator==(const smp_service_group&) const noexcept = default;
};

// How much a group lets through.
struct smp_service_group_config {
    // For each shard, how many calls of the group from all others together it may have to answer:
    // each of those gets an equal part, but at least one. 0: no limit.
    unsigned max_nonlocal_requests = 0;
};

// The one without limits.
inline smp_service_group default_smp_service_group() noexcept { return {}; }

// Shard: any.
future<smp_service_group> create_smp_service_group(smp_service_group_config config) noexcept;

// No call of the group may be under way, nor may one be made from now on.
// Shard: any.
future<> destroy_smp_service_group(smp_service_group group) noexcept;

// How a call is made.
struct smp_submit_to_options {
    smp_service_group service_group = {};
    // How long it may wait for its turn; how long it then takes is another matter.
    wait_limit timeout = {};

    smp_submit_to_options(smp_service_group group = {}, wait_limit limit = {}) noexcept
        : service_group(group), timeout(limit) {}
};

namespace internal {

// One shard's places in all groups.
class local_service_groups {
    struct group {
        std::size_t credit_count;                          // For each other shard. 0: no limit.
        std::vector<std::unique_ptr<semaphore>> by_shard;  // Made when first asked for.
    };
    unsigned _shard_count;
    std::vector<std::unique_ptr<group>> _groups;  // By id, which begins with 1; null: none.

public:
    explicit local_service_groups(unsigned shard_count) noexcept : _shard_count(shard_count) {}

    unsigned find_free_id() const noexcept;
    void create(unsigned id, const smp_service_group_config& config);
    void destroy(unsigned id) noexcept;

    // Those for calls to that shard. Null if they are not limited.
    semaphore* find_credits(smp_service_group of, unsigned to) noexcept;
};

}  // namespace internal

}  // namespace miniss
