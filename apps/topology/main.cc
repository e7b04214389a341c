// Draws the machine as miniss sees it, and which shard sits where.
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <tuple>

#include <miniss/smp/app_template.hh>
#include <miniss/smp/cpu_list.hh>
#include <miniss/smp/smp.hh>

using namespace miniss;

namespace {

std::string format_bytes(std::size_t bytes) {
    const bool whole_mib = bytes % (1 << 20) == 0;
    return whole_mib ? std::to_string(bytes >> 20) + " MiB" : std::to_string(bytes >> 10) + " KiB";
}

const cpu_cache* find_cache(const std::vector<cpu_cache>& caches, unsigned level, unsigned cpu) {
    const auto found =
        std::find_if(caches.begin(), caches.end(), [level, cpu](const cpu_cache& cache) {
            return cache.level == level &&
                   std::find(cache.cpus.begin(), cache.cpus.end(), cpu) != cache.cpus.end();
        });
    return found == caches.end() ? nullptr : &*found;
}

// "CPU 3: shards 0,2".
std::string describe_cpu(const runtime_facts& facts, const processing_unit& unit) {
    std::vector<unsigned> shards;
    for (unsigned shard = 0; shard < facts.placements.size(); ++shard) {
        const shard_placement& place = facts.placements[shard];
        if (place.cpu == unit.cpu && place.pinned) {
            shards.push_back(shard);
        }
    }
    std::string text = "CPU " + std::to_string(unit.cpu);
    if (!shards.empty()) {
        text += (shards.size() == 1 ? ": shard " : ": shards ") + format_cpu_list(shards);
    }
    return unit.allowed ? text : text + " (not allowed)";
}

// A line for each core, under the package, the node and the large cache that it belongs to.
void draw_machine(const runtime_facts& facts, const std::vector<cpu_cache>& caches) {
    auto units = facts.here.units;
    const auto place_of = [](const processing_unit& unit) {
        return std::tuple(unit.package, unit.node, unit.core, unit.cpu);
    };
    std::sort(units.begin(), units.end(),
              [place_of](const auto& a, const auto& b) { return place_of(a) < place_of(b); });
    const processing_unit* last = nullptr;
    const cpu_cache* last_shared = nullptr;
    for (const processing_unit& unit : units) {
        const bool new_package = last == nullptr || unit.package != last->package;
        const bool new_node = new_package || unit.node != last->node;
        if (new_package) {
            std::printf("%spackage %u", last == nullptr ? "" : "\n", unit.package);
        }
        if (new_node) {
            std::printf("\n  NUMA node %u", unit.node);
        }
        const cpu_cache* shared = find_cache(caches, 3, unit.cpu);
        if (shared != nullptr && shared != last_shared) {
            std::printf("\n    L3 cache of %s", format_bytes(shared->size_bytes).c_str());
        }
        if (new_node || unit.core != last->core) {
            std::printf("\n      core %u", unit.core);
            for (const unsigned level : {2U, 1U}) {
                if (const cpu_cache* own = find_cache(caches, level, unit.cpu)) {
                    std::printf(", L%u %s", level, format_bytes(own->size_bytes).c_str());
                }
            }
        }
        std::printf("  [%s]", describe_cpu(facts, unit).c_str());
        last = &unit;
        last_shared = shared;
    }
    std::printf("\n");
}

const char* name_of(shard_count_rule rule) {
    switch (rule) {
    case shard_count_rule::asked_for:
        return "as --smp says";
    case shard_count_rule::named_cpus:
        return "one for each CPU of --cpuset";
    case shard_count_rule::quota:
        return "as the CPU quota allows";
    case shard_count_rule::siblings:
        return "one for each hardware thread";
    case shard_count_rule::cores:
        return "one for each core";
    }
    return "";
}

void explain(const runtime_facts& facts) {
    std::vector<unsigned> allowed;
    for (const processing_unit& unit : facts.here.units) {
        if (unit.allowed) {
            allowed.push_back(unit.cpu);
        }
    }
    std::sort(allowed.begin(), allowed.end());
    std::printf("allowed CPUs: %s\n", format_cpu_list(allowed).c_str());
    if (facts.cpu_quota) {
        std::printf("CPU quota: the time of %g CPUs\n", *facts.cpu_quota);
    } else {
        std::printf("CPU quota: none\n");
    }
    std::printf("shards: %zu, %s; %s; on %s\n", facts.placements.size(), name_of(facts.count_rule),
                facts.placements[0].pinned ? "pinned, with memory from their nodes" : "not pinned",
                facts.backend_name.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    app_template app({.name = "topology", .description = "Draws which shard sits where."});
    return app.run(argc, argv, [] {
        draw_machine(this_runtime(), discover_caches());
        explain(this_runtime());
        return smp::map(smp::all_cpus(), [] { return ::sched_getcpu(); })
            .then([](const std::vector<int>& cpus) {
                for (unsigned shard = 0; shard < cpus.size(); ++shard) {
                    std::printf("miniss/%u runs on CPU %d\n", shard, cpus[shard]);
                }
            });
    });
}
