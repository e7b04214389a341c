// sharded<>: calls to the instances of a service.
#include <miniss/smp/sharded.hh>

#include <algorithm>
#include <set>

#include <miniss/core/gate.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Counts, by shard.
class counter : public peering_sharded_service<counter> {
    unsigned _made_on = this_shard_id();
    int _count;

public:
    explicit counter(int initial = 0) : _count(initial) {}

    int add(int more) {
        if (this_shard_id() != _made_on) {
            throw std::logic_error("on the wrong shard");
        }
        return _count += more;
    }
    future<int> add_later(int more) {
        return sleep(1ms).then([this, more] { return add(more); });
    }
    void forget() { _count = 0; }
    int get() { return add(0); }

    future<> add_everywhere(int more) {
        return container().invoke_on_all([more](counter& each) { each.add(more); });
    }
};

// Runs func(service) on that many shards, with service started there; then stops it.
template <typename Func>
auto on_counters(unsigned shard_count, Func func) {
    return run(tested_shards(shard_count), [func] {
        return do_with(sharded<counter>(), [func](sharded<counter>& service) {
            return service.start(100)
                .then([func, &service] { return func(service); })
                .finally([&service] { return service.stop(); });
        });
    });
}

}  // namespace

TEST_CASE("start() makes an instance on every shard, and local() is the one here", "[sharded]") {
    on_counters(3, [](sharded<counter>& service) {
        CHECK(service.local().get() == 100);
        return smp::invoke_on_all([&service] { service.local().add(1); }).then([&service] {
            CHECK(service.local().get() == 101);
        });
    });
}

TEST_CASE("invoke_on() calls on one shard, with arguments and a result", "[sharded]") {
    on_counters(3, [](sharded<counter>& service) {
        return service
            .invoke_on(
                2,
                [](counter& each, int more, const std::string& name) {
                    return name + std::to_string(each.add(more)) + "@" +
                           std::to_string(this_shard_id());
                },
                7, "count ")
            .then([](const std::string& text) { CHECK(text == "count 107@2"); });
    });
}

TEST_CASE("invoke_on() takes member functions", "[sharded]") {
    on_counters(2, [](sharded<counter>& service) {
        return service.invoke_on(1, &counter::add, 5)
            .then([&service](int count) {
                CHECK(count == 105);
                return service.invoke_on(1, &counter::add_later, 5);
            })
            .then([&service](int count) {
                CHECK(count == 110);
                return service.invoke_on_all(&counter::forget);
            })
            .then([&service] { return service.map(&counter::get); })
            .then([](const std::vector<int>& counts) {
                CHECK(counts == std::vector{0, 0});
            });
    });
}

TEST_CASE("invoke_on() a range calls on these shards only", "[sharded]") {
    on_counters(4, [](sharded<counter>& service) {
        return service.invoke_on(std::vector<unsigned>{1, 3}, [](counter& each) { each.add(1); })
            .then([&service] { return service.map(&counter::get); })
            .then([](const std::vector<int>& counts) {
                CHECK(counts == std::vector{100, 101, 100, 101});
            });
    });
}

TEST_CASE("invoke_on_others() leaves out the instance of the caller", "[sharded]") {
    on_counters(3, [](sharded<counter>& service) {
        return smp::submit_to(1,
                              [&service] {
                                  return service.invoke_on_others([](counter& each) {
                                      return each.add_later(1).discard_result();
                                  });
                              })
            .then([&service] { return service.map(&counter::get); })
            .then([](const std::vector<int>& counts) {
                CHECK(counts == std::vector{101, 100, 101});
            });
    });
}

TEST_CASE("a service reaches its other instances through container()", "[sharded]") {
    on_counters(3, [](sharded<counter>& service) {
        return service.invoke_on(2, &counter::add_everywhere, 4)
            .then([&service] { return service.map(&counter::get); })
            .then([](const std::vector<int>& counts) {
                CHECK(counts == std::vector{104, 104, 104});
            });
    });
}

TEST_CASE("map_reduce0() folds what all shards give, in the order of shards", "[sharded]") {
    on_counters(4, [](sharded<counter>& service) {
        return service
            .map_reduce0(
                [](counter& each) {
                    return std::to_string(each.get() + static_cast<int>(this_shard_id()));
                },
                std::string("all:"),
                [](std::string so_far, std::string one) { return so_far + " " + one; })
            .then([](const std::string& text) { CHECK(text == "all: 100 101 102 103"); });
    });
}

TEST_CASE("map_reduce() feeds an object that may take its time", "[sharded]") {
    struct adder {
        int sum = 0;
        future<> operator()(int value) {
            return sleep(1ms).then([this, value] { sum += value; });
        }
        int get() && { return sum; }
    };
    on_counters(3, [](sharded<counter>& service) {
        return service.map_reduce(adder(), &counter::add, 1).then([](int sum) {
            CHECK(sum == 303);
        });
    });
}

TEST_CASE("map() works for bool", "[sharded]") {
    on_counters(3, [](sharded<counter>& service) {
        return service
            .map_reduce0([](counter&) { return this_shard_id() != 1; }, 0,
                         [](int so_far, bool one) { return so_far + (one ? 1 : 0); })
            .then([](int count) { CHECK(count == 2); });
    });
}

TEST_CASE("an error on one shard is the result, once all have ended", "[sharded]") {
    on_counters(3, [](sharded<counter>& service) {
        return service
            .invoke_on_all([](counter& each) {
                if (this_shard_id() == 0) {
                    throw std::runtime_error("not here");
                }
                return each.add_later(1).discard_result();
            })
            .then_wrapped([&service](future<> ended) {
                CHECK_THROWS_WITH(ended.get(), "not here");
                return service.map(&counter::get);
            })
            .then([](const std::vector<int>& counts) {
                CHECK(counts == std::vector{100, 101, 101});
            });
    });
}

TEST_CASE("smp::map_reduce() folds over any range of shards", "[sharded]") {
    const int sum = run(tested_shards(4), [] {
        return smp::map_reduce(
            std::vector<unsigned>{3, 1}, [] { return int(this_shard_id()); }, 10,
            [](int so_far, int shard) { return so_far * 10 + shard; });
    });
    CHECK(sum == 1031);
}
