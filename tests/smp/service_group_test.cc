// Service groups: calls that wait for their turn.
#include <miniss/smp/service_group.hh>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include <miniss/smp/sharded.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/smp/sim_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Two calls at a time to each other shard.
smp_service_group group_of_two(sim_shards& shards, unsigned shard_count) {
    return shards.run([shard_count] { return create_smp_service_group({2 * (shard_count - 1)}); });
}

}  // namespace

TEST_CASE("no more calls of a group are under way to a shard than it has places", "[groups]") {
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 20));
    int now_count = 0;
    int most = 0;
    std::vector<int> begun;
    sim_shards shards(3, seed);
    const auto group = group_of_two(shards, 3);
    shards.run([&] {
        std::vector<future<>> calls;
        for (int i = 0; i < 20; ++i) {
            calls.push_back(smp::submit_to(1, group, [&, i] {
                begun.push_back(i);
                most = std::max(most, ++now_count);
                return sleep(1ms).then([&] { --now_count; });
            }));
        }
        return when_all_succeed(calls.begin(), calls.end());
    });
    CHECK(most == 2);
    CHECK(begun.size() == 20);
    CHECK((seed != 0 || std::is_sorted(begun.begin(), begun.end())));
    shards.run([&] { return destroy_smp_service_group(group); });
}

TEST_CASE("each caller has places of its own, and calls to the own shard need none", "[groups]") {
    int now_count = 0;
    int most = 0;
    sim_shards shards(3);
    const auto group = group_of_two(shards, 3);
    const auto work = [&] {
        most = std::max(most, ++now_count);
        return sleep(1ms).then([&] { --now_count; });
    };
    shards.run([&] {
        return smp::invoke_on_all([&] {
            return parallel_for_each(std::vector<int>(5),
                                     [&](int) { return smp::submit_to(1, group, work); });
        });
    });
    CHECK(most == 2 + 2 + 5);
}

TEST_CASE("a call that gets no place in time fails, and is not made", "[groups]") {
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 10));
    int call_count = 0;
    sim_shards shards(2, seed);
    const auto group = group_of_two(shards, 2);
    const auto work = [&] {
        ++call_count;
        return sleep(10ms);
    };
    shards.run([&] {
        const auto soon = shards.now() + 5ms;
        auto first = smp::submit_to(1, {group, soon}, work);
        auto second = smp::submit_to(1, group, work);
        auto too_late = smp::submit_to(1, {group, soon}, work);
        auto patient = smp::submit_to(1, {group, shards.now() + 1s}, work);
        return when_all(std::move(first), std::move(second), std::move(too_late),
                        std::move(patient))
            .then_unpack([](future<> one, future<> two, future<> three, future<> four) {
                CHECK_NOTHROW(one.get());  // The timeout is for the place only.
                CHECK_NOTHROW(two.get());
                CHECK_THROWS_AS(three.get(), semaphore_timed_out);
                CHECK_NOTHROW(four.get());
            });
    });
    CHECK(call_count == 3);
    shards.run([&] { return destroy_smp_service_group(group); });  // All places were given back.
}

TEST_CASE("a place is given back also when a call fails", "[groups]") {
    sim_shards shards(2);
    const auto group = group_of_two(shards, 2);
    shards.run([&] {
        return parallel_for_each(std::vector<int>(10), [&](int) {
            return smp::submit_to(1, group, [] { throw std::range_error("no"); })
                .handle_exception([](const std::exception_ptr&) {});
        });
    });
    shards.run([&] { return destroy_smp_service_group(group); });
}

TEST_CASE("a group without limit, and one with fewer places than shards, work too", "[groups]") {
    int count = 0;
    sim_shards shards(4);
    const unsigned places = GENERATE(0U, 1U);
    shards.run([&] {
        return create_smp_service_group({places}).then([&](smp_service_group group) {
            return parallel_for_each(
                       std::vector<int>(10),
                       [&, group](int) { return smp::invoke_on_all(group, [&] { ++count; }); })
                .then([group] { return destroy_smp_service_group(group); });
        });
    });
    CHECK(count == 40);
}

TEST_CASE("the number of a group that was destroyed is used again", "[groups]") {
    sim_shards shards(2);
    const auto first = group_of_two(shards, 2);
    const auto second = group_of_two(shards, 2);
    CHECK(first != second);
    shards.run([&] { return destroy_smp_service_group(first); });
    CHECK(group_of_two(shards, 2) == first);
}

TEST_CASE("destroying a group while a call of it is under way is a bug", "[groups]") {
    CHECK(dies_saying("at_rest", [] {
        sim_shards shards(2);
        const auto group = group_of_two(shards, 2);
        shards.run([&] {
            (void)smp::submit_to(1, group, [] { return sleep(1h); });
            return destroy_smp_service_group(group);
        });
    }));
}

TEST_CASE("a call of a group takes one allocation at most, as others do", "[groups]") {
    sim_shards shards(2);
    const auto group = group_of_two(shards, 2);
    const auto call = [&group] { return smp::submit_to(1, group, [] {}); };
    shards.run(call);
    auto answer = shards.on(0, [&] {
        const allocations_since start;
        auto sent = call();
        CHECK(start.count() <= 1);
        return sent;
    });
    shards.run_until_rest();
    CHECK(answer.available());
}

// Goal: calls that need calls in a circle come back, although all places are taken all the time.
// Method: every shard calls the next one, which calls the one after it, in another group.
TEST_CASE("calls in a circle come back as each depth has its own group", "[groups]") {
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 10));
    constexpr unsigned shard_count = 8;
    int count = 0;
    sim_shards shards(shard_count, seed);
    const auto outer = group_of_two(shards, shard_count);
    const auto inner = group_of_two(shards, shard_count);
    shards.run([&] {
        return smp::invoke_on_all([&] {
            return parallel_for_each(std::vector<int>(30), [&](int) {
                return smp::submit_to((this_shard_id() + 1) % shard_count, outer, [&] {
                    return smp::submit_to((this_shard_id() + 1) % shard_count, inner, [&] {
                        ++count;
                        return sleep(1us);
                    });
                });
            });
        });
    });
    CHECK(count == 30 * shard_count);
    shards.run([&] { return destroy_smp_service_group(outer); });
    shards.run([&] { return destroy_smp_service_group(inner); });
}

TEST_CASE("calls to ranges of shards take options", "[groups]") {
    int now_count = 0;
    int most = 0;
    std::vector<unsigned> called;
    sim_shards shards(3);
    const auto group = shards.run([] { return create_smp_service_group({2}); });
    const auto work = [&] {
        called.push_back(this_shard_id());
        most = std::max(most, ++now_count);
        return sleep(1ms).then([&] { --now_count; });
    };
    shards.run([&] {
        return smp::invoke_on(std::vector<unsigned>{1, 1, 1}, group, work).then([&] {
            return smp::invoke_on_others(group, work);
        });
    });
    CHECK(most == 2);  // One at a time on shard 1, and then shards 1 and 2 together.
    CHECK(called == std::vector<unsigned>{1, 1, 1, 1, 2});
    struct service {};
    sharded<service> all;
    called.clear();
    shards.run([&] {
        return all.start()
            .then([&] {
                return all.invoke_on(shard_range(2), group, [&](service&) { return work(); });
            })
            .then([&] { return all.invoke_on_others(group, [&](service&) { return work(); }); })
            .then([&] { return all.stop(); });
    });
    CHECK(called == std::vector<unsigned>{0, 1, 1, 2});
}

TEST_CASE("invoke_on() of a service takes options", "[groups]") {
    struct number {
        int value = 6;
    };
    sharded<number> service;
    sim_shards shards(2);
    const auto group = group_of_two(shards, 2);
    const int value = shards.run([&] {
        return service.start().then([&] {
            return service.invoke_on(
                1, group, [](number& each, int more) { return each.value + more; }, 1);
        });
    });
    CHECK(value == 7);
    shards.run([&] {
        return service.invoke_on_all(group, [](number& each) { each.value = 1; }).then([&] {
            return service.map([](number& each) { return each.value; }).then([](const auto& all) {
                CHECK(all == std::vector{1, 1});
            });
        });
    });
    shards.run([&] { return service.stop(); });
}
