// The shards that the placement policies choose.
#include <miniss/smp/placement.hh>

#include <algorithm>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/smp/sim_shards.hh>

using namespace miniss;

TEST_CASE("round_robin takes one shard after the other, behind the caller's", "[placement]") {
    std::vector<unsigned> ran_on;
    sim_shards shards(3);
    shards.run_on(1, [&] {
        return do_with(round_robin(), [&](round_robin& next) {
            return parallel_for_each(std::vector<int>(4), [&](int) {
                return next.submit([&] { ran_on.push_back(this_shard_id()); });
            });
        });
    });
    CHECK(ran_on.front() == 1);  // At once, on the own shard.
    std::sort(ran_on.begin(), ran_on.end());
    CHECK(ran_on == std::vector<unsigned>{0, 1, 2, 2});
}

TEST_CASE("least_loaded avoids shards that have calls to answer", "[placement]") {
    std::vector<unsigned> picks;
    promise<> first;
    promise<> second;
    sim_shards shards(4);
    shards.on(3, [&] {  // Shard 1 is busy, and 2 too. Shard 0 learns of it in time.
        (void)smp::submit_to(1, [&first] { return first.get_future(); });
        (void)smp::submit_to(2, [&second] { return second.get_future(); });
    });
    shards.run_until_rest();
    shards.on(0, [&] {
        least_loaded policy;
        for (int i = 0; i < 4; ++i) {
            picks.push_back(policy.pick());
            if (picks.back() != 0) {
                (void)smp::submit_to(picks.back(), [] {});  // Known here at once.
            }
        }
    });
    CHECK(picks == std::vector<unsigned>{3, 0, 0, 0});
    shards.on(1, [&first] { first.set_value(); });
    shards.on(2, [&second] { second.set_value(); });
    shards.run_until_rest();
    CHECK(shards.on(0, [] { return least_loaded().pick(); }) == 1);
}

TEST_CASE("least_loaded of an only shard is that one", "[placement]") {
    sim_shards shards(1);
    CHECK(shards.on(0, [] { return least_loaded().pick(); }) == 0);
}

TEST_CASE("a key lives on the same shard always, and keys are spread evenly", "[placement]") {
    // As published: other programs compute the same.
    CHECK(shard_of(1, 1) == 0);
    CHECK(shard_of(42, 57) == 43);
    CHECK(shard_of(0xDEAD10CC, 1) == 0);
    CHECK(shard_of(0xDEAD10CC, 666) == 361);
    CHECK(shard_of(256, 1024) == 520);
    std::vector<unsigned> counts(10);
    for (int i = 0; i < 10'000; ++i) {
        ++counts[shard_of("key " + std::to_string(i), 10)];
    }
    for (const unsigned count : counts) {
        CHECK(count > 850);
        CHECK(count < 1150);
    }
}

TEST_CASE("one shard more takes keys from the others, and moves no key between them",
          "[placement]") {
    for (std::uint64_t key = 0; key < 1000; ++key) {
        const unsigned before = shard_of(key * 7919, 8);
        const unsigned after = shard_of(key * 7919, 9);
        CHECK((after == before || after == 8));
    }
}

TEST_CASE("submit_to_shard_of() calls where the key lives", "[placement]") {
    sim_shards shards(5);
    const unsigned ran_on = shards.run([] {
        return submit_to_shard_of(std::string_view("a key"), [] { return this_shard_id(); });
    });
    CHECK(ran_on == shard_of(std::string_view("a key"), 5));
}
