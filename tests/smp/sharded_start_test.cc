// sharded<>: how instances come and go.
#include <miniss/smp/sharded.hh>

#include <functional>
#include <memory>
#include <string>

#include <miniss/tests/catch.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/smp/sim_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

struct config {
    std::string name;
    future<> stop() { return make_ready_future<>(); }
};

// Takes the local instance of another service, all of that service, and what is made for a shard.
struct dependent {
    config& local_config;
    sharded<config>& all;
    std::string own;
    std::unique_ptr<int> number;

    dependent(config& here, sharded<config>& everywhere, std::string made_here)
        : local_config(here), all(everywhere), own(std::move(made_here)) {}
};

// Notes what happens to it; fails where it is told to.
struct witness {
    std::vector<std::string>& events;

    witness(std::vector<std::string>& to, unsigned fails_on) : events(to) {
        if (this_shard_id() == fails_on) {
            throw std::runtime_error("no instance here");
        }
    }
    witness(const witness&) = delete;
    ~witness() { note("gone"); }
    future<> stop() {
        return sleep(std::chrono::milliseconds(this_shard_id() + 1)).then([this] {
            note("stopped");
        });
    }
    void note(const char* what) {
        events.push_back(std::string(what) + " " + std::to_string(this_shard_id()));
    }
};

constexpr unsigned nowhere = 99;

struct unstoppable {
    int& alive_count;
    explicit unstoppable(int& count) : alive_count(count) { ++alive_count; }
    ~unstoppable() { --alive_count; }
};

class lingering : public async_sharded_service<lingering> {
    bool& _gone;

public:
    explicit lingering(bool& gone) : _gone(gone) {}
    ~lingering() { _gone = true; }
    void work_on() {
        (void)sleep(1h).then([self = shared_from_this()] {});
    }
};

}  // namespace

TEST_CASE("std::ref() of a service becomes the local instance, or all of it", "[sharded]") {
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 10));
    sharded<config> configs;
    sharded<dependent> services;
    sim_shards shards(3, seed);
    shards.run([&] {
        return configs.start(config{"copied"})
            .then([&] {
                return services.start(std::ref(configs), std::ref(configs),
                                      sharded_parameter(
                                          [](config& here, int number) {
                                              return here.name + std::to_string(number) + "@" +
                                                     std::to_string(this_shard_id());
                                          },
                                          std::ref(configs), 5));
            })
            .then([&] {
                return services.invoke_on_all([&](dependent& each) {
                    CHECK(&each.local_config == &configs.local());
                    CHECK(&each.all == &configs);
                    CHECK(each.own == "copied5@" + std::to_string(this_shard_id()));
                });
            })
            .then([&] { return services.stop(); })
            .then([&] { return configs.stop(); });
    });
}

TEST_CASE("start_single() makes one instance, on shard 0, of arguments that only move",
          "[sharded]") {
    struct single {
        std::unique_ptr<int> number;
        explicit single(std::unique_ptr<int> given) : number(std::move(given)) {}
    };
    sharded<single> service;
    sim_shards shards(3);
    shards.run_on(1, [&service] {
        return service.start_single(std::make_unique<int>(7))
            .then([&service] {
                CHECK_FALSE(service.local_is_initialized());
                return service.invoke_on(0, [](single& only) { return *only.number; });
            })
            .then([&service](int number) {
                CHECK(number == 7);
                return service.invoke_on(2, [](single&) {});
            })
            .then_wrapped([&service](future<> ended) {
                CHECK_THROWS_WITH(ended.get(),
                                  Catch::Contains("no instance of") && Catch::Contains("single"));
                return service.map([](single& only) { return *only.number; });
            })
            .then([&service](const std::vector<int>& all) {
                CHECK(all == std::vector{7});
                return service.stop();
            });
    });
}

TEST_CASE("stop() stops all at the same time, then destroys them from the last to the first",
          "[sharded]") {
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 10));
    std::vector<std::string> events;
    sharded<witness> service;
    sim_shards shards(3, seed);
    const auto begin = shards.now();
    shards.run([&] {
        return service.start(std::ref(events), nowhere).then([&] { return service.stop(); });
    });
    CHECK(shards.now() - begin < 4ms);
    CHECK(events == std::vector<std::string>{"stopped 0", "stopped 1", "stopped 2", "gone 2",
                                             "gone 1", "gone 0"});
}

TEST_CASE("a start that fails on one shard stops what was started", "[sharded]") {
    const unsigned fails_on = GENERATE(0U, 1U, 2U);
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 5));
    std::vector<std::string> events;
    sharded<witness> service;
    sim_shards shards(3, seed);
    CHECK_THROWS_WITH(
        shards.run([&] { return service.start(std::ref(events), unsigned(fails_on)); }),
        "no instance here");
    std::vector<std::string> expected;
    for (const std::string what : {"stopped ", "gone "}) {
        for (unsigned i = 0; i < 3; ++i) {
            const unsigned shard = what == "gone " ? 2 - i : i;
            if (shard != fails_on) {
                expected.push_back(what + std::to_string(shard));
            }
        }
    }
    CHECK(events == expected);
    // And may be started again.
    shards.run([&] {
        return service.start(std::ref(events), nowhere).then([&] { return service.stop(); });
    });
}

TEST_CASE("a service without stop() is just destroyed, on its shards", "[sharded]") {
    int alive_count = 0;
    sharded<unstoppable> service;
    sim_shards shards(64, 1);
    shards.run([&] {
        return service.start(std::ref(alive_count)).then([&] {
            CHECK(alive_count == 64);
            return service.stop();
        });
    });
    CHECK(alive_count == 0);
    CHECK_NOTHROW(shards.run([&] { return service.stop(); }));  // Nothing is left to stop.
}

TEST_CASE("an error of stop() is the result, and all instances are gone nevertheless",
          "[sharded]") {
    struct stubborn : unstoppable {
        using unstoppable::unstoppable;
        future<> stop() {
            return this_shard_id() == 1 ? make_exception_future<>(std::runtime_error("I stay"))
                                        : make_ready_future<>();
        }
    };
    int alive_count = 0;
    sharded<stubborn> service;
    sim_shards shards(3);
    shards.run([&] { return service.start(std::ref(alive_count)); });
    CHECK_THROWS_WITH(shards.run([&] { return service.stop(); }), "I stay");
    CHECK(alive_count == 0);
}

TEST_CASE("stop() waits until nobody holds an async_sharded_service any more", "[sharded]") {
    bool gone = false;
    sharded<lingering> service;
    sim_shards shards(1);
    const auto begin = shards.now();
    shards.run([&] {
        return service.start(std::ref(gone)).then([&] {
            service.local().work_on();
            return service.stop();
        });
    });
    CHECK(gone);
    CHECK(shards.now() - begin >= 1h);
}

TEST_CASE("a service that is destroyed before it was stopped is named", "[sharded]") {
    CHECK(dies_saying("sharded<(anonymous namespace)::config> is destroyed unstopped", [] {
        sim_shards shards(2);
        sharded<config> service;
        shards.run([&service] { return service.start(); });
    }));
}

TEST_CASE("starting twice is a bug", "[sharded]") {
    CHECK(dies_saying("_slots.empty()", [] {
        sim_shards shards(2);
        sharded<config> service;
        shards.run([&service] { return service.start(); });
        shards.run([&service] { return service.start(); });
    }));
}
