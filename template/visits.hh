// Counts who has come how often.
#pragma once

#include <string>
#include <unordered_map>

#include <miniss/smp/placement.hh>
#include <miniss/smp/sharded.hh>

// What one shard knows: only it uses this, so there are no locks.
class visits {
    std::unordered_map<std::string, unsigned> _counts;

public:
    unsigned add(const std::string& name) { return ++_counts[name]; }
};

// Each name is counted by one shard. May be called on any.
inline miniss::future<unsigned> count_visit(miniss::sharded<visits>& all, std::string name) {
    const unsigned home = miniss::shard_of(name, miniss::smp::count);
    return all.invoke_on(home, [name = std::move(name)](visits& there) { return there.add(name); });
}
