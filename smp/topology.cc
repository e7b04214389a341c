// Finds the CPUs through hwloc, gives them to shards and binds threads to them.
#include <miniss/smp/topology.hh>

#include <hwloc.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>

#include <miniss/core/assert.hh>
#include <miniss/smp/cpu_list.hh>

namespace miniss {

namespace {

struct topology_deleter {
    void operator()(hwloc_topology_t topology) const noexcept { hwloc_topology_destroy(topology); }
};

struct bitmap_deleter {
    void operator()(hwloc_bitmap_t bitmap) const noexcept { hwloc_bitmap_free(bitmap); }
};

using owned_topology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, topology_deleter>;
using owned_bitmap = std::unique_ptr<std::remove_pointer_t<hwloc_bitmap_t>, bitmap_deleter>;

void check_hwloc(int result) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), "cannot read the CPU topology");
    }
}

constexpr std::initializer_list<hwloc_obj_type_t> packages_and_cores = {HWLOC_OBJ_PACKAGE,
                                                                        HWLOC_OBJ_CORE};
constexpr std::initializer_list<hwloc_obj_type_t> data_caches = {
    HWLOC_OBJ_L5CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L1CACHE};

// Asks for these kinds of things only (CPUs and NUMA nodes always come along): devices cost time.
// hwloc would also run on each CPU in turn to ask it about itself; what the kernel tells is
// enough, and the calling thread stays where it is.
owned_topology load_topology(std::initializer_list<hwloc_obj_type_t> types) {
    hwloc_topology_t raw = nullptr;
    check_hwloc(hwloc_topology_init(&raw));
    owned_topology topology(raw);
    check_hwloc(hwloc_topology_set_all_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE));
    for (hwloc_obj_type_t type : types) {
        check_hwloc(hwloc_topology_set_type_filter(raw, type, HWLOC_TYPE_FILTER_KEEP_ALL));
    }
    check_hwloc(hwloc_topology_set_flags(
        raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING));
    check_hwloc(hwloc_topology_load(raw));
    return topology;
}

// The control group's CPUs as hwloc knows them, less those that this thread's affinity excludes.
owned_bitmap find_allowed_cpus(hwloc_topology_t topology) {
    owned_bitmap allowed(hwloc_bitmap_alloc());
    if (!allowed) {
        throw std::bad_alloc();
    }
    check_hwloc(hwloc_get_cpubind(topology, allowed.get(), HWLOC_CPUBIND_THREAD));
    check_hwloc(hwloc_bitmap_and(allowed.get(), allowed.get(),
                                 hwloc_topology_get_allowed_cpuset(topology)));
    return allowed;
}

// Some virtual machines tell of no cores or packages: then each CPU is a core of its own, and
// all are in package 0.
processing_unit describe(hwloc_topology_t topology, hwloc_obj_t unit,
                         hwloc_const_bitmap_t allowed) {
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, unit);
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, unit);
    const int node = hwloc_bitmap_first(unit->nodeset);
    return {.cpu = unit->os_index,
            .core = core != nullptr ? core->logical_index : unit->logical_index,
            .package = package != nullptr ? package->logical_index : 0,
            .node = node >= 0 ? static_cast<unsigned>(node) : 0,
            .allowed = hwloc_bitmap_isset(allowed, unit->os_index) != 0};
}

// A CPU and the place it has among the usable ones of its core: 0 is the first.
struct seat {
    processing_unit unit;
    unsigned sibling_rank;
};

// The order in which shards take seats; see place_shards().
std::vector<seat> arrange(std::vector<processing_unit> units) {
    std::sort(units.begin(), units.end(), [](const auto& a, const auto& b) {
        return std::tie(a.package, a.node, a.core, a.cpu) <
               std::tie(b.package, b.node, b.core, b.cpu);
    });
    std::vector<seat> seats;
    for (const processing_unit& unit : units) {
        const bool is_sibling = !seats.empty() && seats.back().unit.core == unit.core;
        seats.push_back({unit, is_sibling ? seats.back().sibling_rank + 1 : 0});
    }
    std::stable_sort(seats.begin(), seats.end(),
                     [](const seat& a, const seat& b) { return a.sibling_rank < b.sibling_rank; });
    return seats;
}

std::vector<processing_unit> allowed_units(const machine& here) {
    std::vector<processing_unit> allowed;
    std::copy_if(here.units.begin(), here.units.end(), std::back_inserter(allowed),
                 [](const processing_unit& unit) { return unit.allowed; });
    return allowed;
}

std::string list_of(const std::vector<processing_unit>& units) {
    std::vector<unsigned> cpus;
    for (const processing_unit& unit : units) {
        cpus.push_back(unit.cpu);
    }
    std::sort(cpus.begin(), cpus.end());
    return format_cpu_list(cpus);
}

const processing_unit* find_unit(const std::vector<processing_unit>& units, unsigned cpu) {
    const auto found = std::find_if(units.begin(), units.end(),
                                    [cpu](const auto& unit) { return unit.cpu == cpu; });
    return found != units.end() ? &*found : nullptr;
}

std::vector<processing_unit> usable_units(const machine& here, const placement_request& request) {
    std::vector<processing_unit> allowed = allowed_units(here);
    if (!request.cpus) {
        return allowed;
    }
    std::vector<processing_unit> chosen;
    for (unsigned cpu : *request.cpus) {
        const processing_unit* unit = find_unit(allowed, cpu);
        if (unit == nullptr) {
            const bool exists = find_unit(here.units, cpu) != nullptr;
            throw std::runtime_error(
                "CPU " + std::to_string(cpu) +
                (exists ? " is not allowed to this process" : " does not exist on this machine") +
                "; allowed: " + list_of(allowed));
        }
        if (find_unit(chosen, cpu) == nullptr) {
            chosen.push_back(*unit);
        }
    }
    return chosen;
}

unsigned check_shard_count(unsigned count) {
    if (count == 0 || count > shard_count_max) {
        throw std::runtime_error("cannot run " + std::to_string(count) +
                                 " shards: the number must be from 1 to " +
                                 std::to_string(shard_count_max));
    }
    return count;
}

// Without SMT the cores, which are the seats of rank 0; with SMT all seats.
std::size_t count_places(const std::vector<seat>& seats, bool use_smt) {
    return static_cast<std::size_t>(
        std::count_if(seats.begin(), seats.end(),
                      [use_smt](const seat& place) { return use_smt || place.sibling_rank == 0; }));
}

struct shard_plan {
    std::size_t count;
    bool pin;
    shard_count_rule rule;
};

shard_plan plan_shards(const std::vector<seat>& seats, const placement_request& request) {
    if (request.shard_count) {
        return {check_shard_count(*request.shard_count), request.pin, shard_count_rule::asked_for};
    }
    const bool count_all = request.cpus.has_value() || request.use_smt;
    const std::size_t places =
        std::min<std::size_t>(count_places(seats, count_all), shard_count_max);
    if (request.cpus) {
        return {places, request.pin, shard_count_rule::named_cpus};
    }
    if (request.cpu_quota && *request.cpu_quota < static_cast<double>(places)) {
        MINISS_ASSERT(*request.cpu_quota > 0);
        return {std::max<std::size_t>(static_cast<std::size_t>(*request.cpu_quota), 1), false,
                shard_count_rule::quota};
    }
    return {places, request.pin,
            request.use_smt ? shard_count_rule::siblings : shard_count_rule::cores};
}

// A set of CPUs or nodes with one member, as system calls take it: no limit of 1,024 as in
// cpu_set_t.
class single_bit_mask {
    static constexpr std::size_t word_bits = sizeof(unsigned long) * CHAR_BIT;
    std::vector<unsigned long> _words;

public:
    explicit single_bit_mask(unsigned bit) : _words(bit / word_bits + 1) {
        _words.back() = 1UL << (bit % word_bits);
    }
    const unsigned long* data() const noexcept { return _words.data(); }
    std::size_t size_bytes() const noexcept { return _words.size() * sizeof(unsigned long); }
    std::size_t size_bits() const noexcept { return _words.size() * word_bits; }
};

void pin_to_cpu(unsigned cpu) {
    const single_bit_mask mask(cpu);
    constexpr pid_t this_thread = 0;
    if (syscall(SYS_sched_setaffinity, this_thread, mask.size_bytes(), mask.data()) < 0) {
        throw std::system_error(errno, std::generic_category(),
                                "cannot pin a shard to CPU " + std::to_string(cpu));
    }
}

void prefer_node(unsigned node) {
    const single_bit_mask mask(node);
    // The kernel looks at one bit less than it is told of.
    if (syscall(SYS_set_mempolicy, MPOL_PREFERRED, mask.data(), mask.size_bits() + 1) == 0) {
        return;
    }
    switch (errno) {
    case EPERM:   // A container's system call filter.
    case ENOSYS:  // A kernel without NUMA.
    case EINVAL:  // The control group (cpuset.mems) keeps us from this node.
        return;
    default:
        throw std::system_error(errno, std::generic_category(),
                                "cannot prefer memory of node " + std::to_string(node));
    }
}

}  // namespace

machine discover_machine() {
    const owned_topology topology = load_topology(packages_and_cores);
    const owned_bitmap allowed = find_allowed_cpus(topology.get());
    machine here;
    hwloc_obj_t unit = nullptr;
    while ((unit = hwloc_get_next_obj_by_type(topology.get(), HWLOC_OBJ_PU, unit)) != nullptr) {
        here.units.push_back(describe(topology.get(), unit, allowed.get()));
    }
    return here;
}

std::vector<cpu_cache> discover_caches() {
    const owned_topology topology = load_topology(data_caches);
    std::vector<cpu_cache> caches;
    for (hwloc_obj_type_t type : data_caches) {
        hwloc_obj_t found = nullptr;
        while ((found = hwloc_get_next_obj_by_type(topology.get(), type, found)) != nullptr) {
            cpu_cache cache{.level = found->attr->cache.depth,
                            .size_bytes = static_cast<std::size_t>(found->attr->cache.size),
                            .cpus = {}};
            for (int cpu = hwloc_bitmap_first(found->cpuset); cpu >= 0;
                 cpu = hwloc_bitmap_next(found->cpuset, cpu)) {
                cache.cpus.push_back(static_cast<unsigned>(cpu));
            }
            if (cache.size_bytes != 0) {
                caches.push_back(std::move(cache));
            }
        }
    }
    return caches;
}

shard_count_rule find_shard_count_rule(const machine& here, const placement_request& request) {
    return plan_shards(arrange(usable_units(here, request)), request).rule;
}

std::vector<shard_placement> place_shards(const machine& here, const placement_request& request) {
    const std::vector<seat> seats = arrange(usable_units(here, request));
    if (seats.empty()) {
        throw std::runtime_error("there is no CPU for a shard to run on");
    }
    const shard_plan plan = plan_shards(seats, request);
    std::vector<shard_placement> placements;
    for (std::size_t shard = 0; shard < plan.count; ++shard) {
        const processing_unit& unit = seats[shard % seats.size()].unit;
        placements.push_back({.cpu = unit.cpu, .node = unit.node, .pinned = plan.pin});
    }
    return placements;
}

void bind_this_thread(const shard_placement& placement) {
    if (placement.pinned) {
        pin_to_cpu(placement.cpu);
        prefer_node(placement.node);
    }
}

}  // namespace miniss
