// Placement on invented machines, and discovery and binding on this one.
#include <miniss/smp/topology.hh>

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <miniss/smp/cpu_list.hh>
#include <miniss/tests/catch.hh>

namespace {

using miniss::bind_this_thread;
using miniss::cpu_cache;
using miniss::discover_caches;
using miniss::discover_machine;
using miniss::find_shard_count_rule;
using miniss::machine;
using miniss::placement_request;
using miniss::processing_unit;
using miniss::shard_count_rule;
using miniss::shard_placement;
using cpus = std::vector<unsigned>;

// Two packages, each one node with four cores of two siblings, numbered as on most servers: the
// first siblings of all cores are CPUs 0-7 (4-7 in package 1), CPU n + 8 is the sibling of n.
machine two_by_four_by_two() {
    machine here;
    for (unsigned cpu = 0; cpu < 16; ++cpu) {
        const unsigned core = cpu % 8;
        here.units.push_back({cpu, core, core / 4, core / 4, true});
    }
    return here;
}

machine allow_only(machine here, const std::string& list) {
    const cpus allowed = miniss::parse_cpu_list(list);
    for (processing_unit& unit : here.units) {
        unit.allowed = std::binary_search(allowed.begin(), allowed.end(), unit.cpu);
    }
    return here;
}

cpus cpus_of(const std::vector<shard_placement>& placements) {
    cpus result;
    for (const shard_placement& placement : placements) {
        result.push_back(placement.cpu);
    }
    return result;
}

cpus placed(const machine& here, const placement_request& request) {
    return cpus_of(place_shards(here, request));
}

std::string refusal(const machine& here, const placement_request& request) {
    try {
        place_shards(here, request);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

// Runs it in a thread of its own, whose binding ends with it; an exception comes back out.
template <typename Function>
void in_own_thread(Function function) {
    std::exception_ptr error;
    std::thread([&] {
        try {
            function();
        } catch (...) {
            error = std::current_exception();
        }
    }).join();
    if (error) {
        std::rethrow_exception(error);
    }
}

// The kernel's own answer, without hwloc.
cpus cpus_of_this_thread() {
    cpu_set_t set;
    REQUIRE(sched_getaffinity(0, sizeof(set), &set) == 0);
    cpus result;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) {
            result.push_back(cpu);
        }
    }
    return result;
}

void restrict_this_thread(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    REQUIRE(sched_setaffinity(0, sizeof(set), &set) == 0);
}

cpus allowed_cpus(const machine& here) {
    cpus result;
    for (const processing_unit& unit : here.units) {
        if (unit.allowed) {
            result.push_back(unit.cpu);
        }
    }
    std::sort(result.begin(), result.end());
    return result;
}

}  // namespace

TEST_CASE("each core gets one shard, node by node", "[topology]") {
    CHECK(placed(two_by_four_by_two(), {}) == cpus{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("placements carry the node of their CPU", "[topology]") {
    for (const shard_placement& placement : place_shards(two_by_four_by_two(), {})) {
        CHECK(placement.node == placement.cpu / 4);
        CHECK(placement.pinned);
    }
}

TEST_CASE("the order of the machine's description does not matter", "[topology]") {
    machine backwards = two_by_four_by_two();
    std::reverse(backwards.units.begin(), backwards.units.end());
    const placement_request all{.shard_count = 40};
    CHECK(placed(backwards, all) == placed(two_by_four_by_two(), all));
}

TEST_CASE("few shards stay together where CPU numbers alternate between nodes", "[topology]") {
    machine here;
    for (unsigned cpu = 0; cpu < 8; ++cpu) {
        here.units.push_back({cpu, cpu, cpu % 2, cpu % 2, true});
    }
    CHECK(placed(here, {.shard_count = 4}) == cpus{0, 2, 4, 6});
    CHECK(placed(here, {}) == cpus{0, 2, 4, 6, 1, 3, 5, 7});
}

TEST_CASE("a package is filled before the next, also when it has several nodes", "[topology]") {
    machine here;
    for (unsigned cpu = 0; cpu < 8; ++cpu) {
        const unsigned node = cpu / 2;
        here.units.push_back({cpu, cpu, node % 2, node, true});
    }
    CHECK(placed(here, {}) == cpus{0, 1, 4, 5, 2, 3, 6, 7});
}

TEST_CASE("with SMT each sibling gets a shard, after each core has one", "[topology]") {
    CHECK(placed(two_by_four_by_two(), {.use_smt = true}) ==
          cpus{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
}

TEST_CASE("siblings that are numbered side by side are told apart from cores", "[topology]") {
    machine here;
    for (unsigned cpu = 0; cpu < 8; ++cpu) {
        here.units.push_back({cpu, cpu / 2, 0, 0, true});
    }
    CHECK(placed(here, {}) == cpus{0, 2, 4, 6});
    CHECK(placed(here, {.shard_count = 6}) == cpus{0, 2, 4, 6, 1, 3});
}

TEST_CASE("CPUs that are not allowed are left out", "[topology]") {
    const machine here = allow_only(two_by_four_by_two(), "1,3,6-7,9");
    CHECK(placed(here, {}) == cpus{1, 3, 6, 7});
    CHECK(placed(here, {.use_smt = true}) == cpus{1, 3, 6, 7, 9});
}

TEST_CASE("a core is used through its second sibling when the first is not allowed", "[topology]") {
    CHECK(placed(allow_only(two_by_four_by_two(), "9-10,4"), {}) == cpus{9, 10, 4});
}

TEST_CASE("more shards than cores take the siblings, then start over", "[topology]") {
    const machine here = allow_only(two_by_four_by_two(), "0-1,4,8-9");
    CHECK(placed(here, {.shard_count = 2}) == cpus{0, 1});
    CHECK(placed(here, {.shard_count = 5}) == cpus{0, 1, 4, 8, 9});
    CHECK(placed(here, {.shard_count = 8}) == cpus{0, 1, 4, 8, 9, 0, 1, 4});
    CHECK(placed(allow_only(here, "5"), {.shard_count = 3}) == cpus{5, 5, 5});
}

TEST_CASE("no shard, or more than there can be, is refused", "[topology]") {
    const machine here = two_by_four_by_two();
    CHECK(refusal(here, {.shard_count = 0}) ==
          "cannot run 0 shards: the number must be from 1 to 4096");
    CHECK(refusal(here, {.shard_count = 4097}) ==
          "cannot run 4097 shards: the number must be from 1 to 4096");
    CHECK(placed(here, {.shard_count = 4096}).size() == 4096);
}

TEST_CASE("a quota is rounded down, but leaves one shard", "[topology]") {
    const machine here = two_by_four_by_two();
    CHECK(placed(here, {.cpu_quota = 0.1}) == cpus{0});
    CHECK(placed(here, {.cpu_quota = 1.5}) == cpus{0});
    CHECK(placed(here, {.cpu_quota = 2.0}) == cpus{0, 1});
    CHECK(placed(here, {.cpu_quota = 7.99}).size() == 7);
    CHECK(placed(here, {.cpu_quota = 1e30}).size() == 8);
    CHECK(placed(here, {.use_smt = true, .cpu_quota = 12.5}).size() == 12);
}

TEST_CASE("shards are not pinned where the quota sets their number", "[topology]") {
    const machine here = two_by_four_by_two();
    CHECK_FALSE(place_shards(here, {.cpu_quota = 7.5}).front().pinned);
    CHECK(place_shards(here, {.cpu_quota = 8.0}).front().pinned);
    CHECK(place_shards(here, {.shard_count = 2, .cpu_quota = 2.0}).front().pinned);
}

TEST_CASE("a number of shards that is asked for counts, whatever the quota", "[topology]") {
    CHECK(placed(two_by_four_by_two(), {.shard_count = 3, .cpu_quota = 1.0}) == cpus{0, 1, 2});
}

TEST_CASE("CPUs that are named get a shard each, siblings and quota or not", "[topology]") {
    const machine here = two_by_four_by_two();
    CHECK(placed(here, {.cpus = cpus{2, 5, 10}}) == cpus{2, 5, 10});
    CHECK(placed(here, {.cpus = cpus{10, 5, 2}}) == cpus{2, 5, 10});
    CHECK(placed(here, {.cpus = cpus{2, 2, 2}}) == cpus{2});
    CHECK(placed(here, {.cpus = cpus{2, 5, 10}, .cpu_quota = 1.0}) == cpus{2, 5, 10});
}

TEST_CASE("a number of shards on named CPUs uses as many of them, or shares them", "[topology]") {
    const machine here = two_by_four_by_two();
    CHECK(placed(here, {.shard_count = 2, .cpus = cpus{2, 5, 10}}) == cpus{2, 5});
    CHECK(placed(here, {.shard_count = 4, .cpus = cpus{2, 5, 10}}) == cpus{2, 5, 10, 2});
}

TEST_CASE("a named CPU that cannot be used is refused, and told what can", "[topology]") {
    const machine here = allow_only(two_by_four_by_two(), "0-3,8");
    CHECK(refusal(here, {.cpus = cpus{1, 16}}) ==
          "CPU 16 does not exist on this machine; allowed: 0-3,8");
    CHECK(refusal(here, {.cpus = cpus{1, 4}}) ==
          "CPU 4 is not allowed to this process; allowed: 0-3,8");
}

TEST_CASE("shards without a CPU are refused", "[topology]") {
    CHECK(refusal({}, {}) == "there is no CPU for a shard to run on");
    CHECK(refusal(two_by_four_by_two(), {.cpus = cpus{}}) ==
          "there is no CPU for a shard to run on");
}

TEST_CASE("what sets the number of shards is known", "[topology]") {
    const machine here = discover_machine();
    const unsigned cpu = place_shards(here, {}).front().cpu;
    const auto rule = [&here](const placement_request& request) {
        return find_shard_count_rule(here, request);
    };
    CHECK(rule({}) == shard_count_rule::cores);
    CHECK(rule({.use_smt = true}) == shard_count_rule::siblings);
    CHECK(rule({.cpu_quota = 0.5}) == shard_count_rule::quota);
    CHECK(rule({.cpu_quota = 1e6}) == shard_count_rule::cores);
    CHECK(rule({.cpus = std::vector<unsigned>{cpu}, .cpu_quota = 0.5}) ==
          shard_count_rule::named_cpus);
    CHECK(rule({.shard_count = 3, .cpu_quota = 0.5}) == shard_count_rule::asked_for);
}

TEST_CASE("caches have a size, and CPUs that exist", "[topology]") {
    const machine here = discover_machine();
    for (const cpu_cache& cache : discover_caches()) {
        CHECK(cache.level >= 1);
        CHECK(cache.level <= 5);
        CHECK(cache.size_bytes > 0);
        CHECK(!cache.cpus.empty());
        for (const unsigned cpu : cache.cpus) {
            CHECK(std::any_of(here.units.begin(), here.units.end(),
                              [cpu](const processing_unit& unit) { return unit.cpu == cpu; }));
        }
    }
}

TEST_CASE("nothing is pinned when that is not wanted", "[topology]") {
    for (const shard_placement& placement : place_shards(two_by_four_by_two(), {.pin = false})) {
        CHECK_FALSE(placement.pinned);
    }
}

TEST_CASE("the discovered machine agrees with the kernel on what is allowed", "[topology]") {
    const machine here = miniss::discover_machine();
    CHECK(allowed_cpus(here) == cpus_of_this_thread());
    std::set<unsigned> distinct;
    for (const processing_unit& unit : here.units) {
        distinct.insert(unit.cpu);
    }
    CHECK(distinct.size() == here.units.size());
}

TEST_CASE("discovery leaves the thread's affinity as it was", "[topology]") {
    const cpus before = cpus_of_this_thread();
    miniss::discover_machine();
    CHECK(cpus_of_this_thread() == before);
}

TEST_CASE("a process restricted to one CPU places its shard there", "[topology]") {
    const unsigned only = cpus_of_this_thread().back();
    machine here;
    in_own_thread([&] {
        restrict_this_thread(only);
        here = miniss::discover_machine();
    });
    CHECK(placed(here, {}) == cpus{only});
    CHECK(here.units.size() == miniss::discover_machine().units.size());
}

TEST_CASE("a bound thread runs on its CPU and on no other", "[topology]") {
    for (const shard_placement& placement : place_shards(miniss::discover_machine(), {})) {
        int running_on = -1;
        cpus may_run_on;
        in_own_thread([&] {
            bind_this_thread(placement);
            running_on = sched_getcpu();
            may_run_on = cpus_of_this_thread();
        });
        CHECK(running_on == static_cast<int>(placement.cpu));
        CHECK(may_run_on == cpus{placement.cpu});
    }
}

TEST_CASE("a bound thread prefers its node's memory where policies are allowed", "[topology]") {
    const shard_placement placement = place_shards(miniss::discover_machine(), {}).back();
    int mode = MPOL_DEFAULT;
    std::vector<unsigned long> nodes(16);
    bool policies_allowed = false;
    in_own_thread([&] {
        policies_allowed = syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0UL) == 0;
        bind_this_thread(placement);
        policies_allowed = policies_allowed && syscall(SYS_get_mempolicy, &mode, nodes.data(),
                                                       nodes.size() * 64, nullptr, 0UL) == 0;
    });
    if (policies_allowed) {
        CHECK(mode == MPOL_PREFERRED);
        CHECK(nodes[placement.node / 64] == 1UL << (placement.node % 64));
    }
}

TEST_CASE("memory of a node that is out of reach is done without", "[topology]") {
    const shard_placement nowhere{.cpu = cpus_of_this_thread().back(), .node = 900, .pinned = true};
    int running_on = -1;
    in_own_thread([&] {
        bind_this_thread(nowhere);
        running_on = sched_getcpu();
    });
    CHECK(running_on == static_cast<int>(nowhere.cpu));
}

TEST_CASE("a thread that is not to be pinned stays as it is", "[topology]") {
    const cpus before = cpus_of_this_thread();
    cpus after;
    in_own_thread([&] {
        bind_this_thread({.cpu = before.back(), .node = 0, .pinned = false});
        after = cpus_of_this_thread();
    });
    CHECK(after == before);
}

TEST_CASE("binding to a CPU that is not there is an error that names it", "[topology]") {
    std::error_code code;
    std::string what;
    in_own_thread([&] {
        try {
            bind_this_thread({.cpu = 60000, .node = 0, .pinned = true});
        } catch (const std::system_error& error) {
            code = error.code();
            what = error.what();
        }
    });
    CHECK(code == std::errc::invalid_argument);
    CHECK(what.starts_with("cannot pin a shard to CPU 60000: "));
}
