// Calls between real shards.
#include <miniss/smp/smp.hh>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/core/location_text.hh>
#include <miniss/core/when_all.hh>
#include <miniss/core/yield.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/smp/tested_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

// Notes the shard on which the last of those it was moved to is destroyed.
class death_note {
    unsigned* _shard;

public:
    explicit death_note(unsigned& shard) noexcept : _shard(&shard) {}
    death_note(death_note&& other) noexcept : _shard(std::exchange(other._shard, nullptr)) {}
    ~death_note() {
        if (_shard != nullptr) {
            *_shard = this_shard_id();
        }
    }
};

// Each callable runs as main of a runtime of that many shards.
template <typename Func>
auto on_shards(unsigned count, Func func) {
    return run(tested_shards(count), func);
}

unsigned discover_first_cpu() {
    placement_request one;
    one.shard_count = 1;
    return place_shards(discover_machine(), one).front().cpu;
}

}  // namespace

TEST_CASE("submit_to() runs its callable on the other shard and brings the value back",
          "[submit_to]") {
    const auto answer =
        on_shards(2, [] { return smp::submit_to(1, [] { return this_shard_id() * 10 + 7; }); });
    CHECK(answer == 17);
}

TEST_CASE("submit_to() works from every shard to every shard", "[submit_to]") {
    on_shards(3, [] {
        return smp::invoke_on_all([] {
            return parallel_for_each(smp::all_cpus(), [home = this_shard_id()](unsigned to) {
                return smp::submit_to(to, [] { return this_shard_id(); })
                    .then([home, to](unsigned ran_on) {
                        if (ran_on != to || this_shard_id() != home) {
                            throw std::logic_error("on the wrong shard");
                        }
                    });
            });
        });
    });
}

TEST_CASE("submit_to() keeps the alignment of what its callable captures", "[submit_to]") {
    struct alignas(64) line {
        char bytes[64];
    };
    run(tested_shards(2), [] {
        return parallel_for_each(std::vector<int>(20), [](int) {
            return smp::submit_to(
                1, [wide = line()] { CHECK(reinterpret_cast<std::uintptr_t>(&wide) % 64 == 0); });
        });
    });
}

TEST_CASE("submit_to() waits for a callable that returns nothing", "[submit_to]") {
    bool done = false;
    on_shards(2, [&] {
        return smp::submit_to(1, [&done] { done = true; }).then([&done] { CHECK(done); });
    });
    CHECK(done);
}

TEST_CASE("submit_to() waits for the future that its callable returns", "[submit_to]") {
    const auto text = on_shards(2, [] {
        return smp::submit_to(
            1, [] { return sleep(1ms).then([] { return std::string("slept on ") + "one"; }); });
    });
    CHECK(text == "slept on one");
}

TEST_CASE("submit_to() brings home what its callable throws", "[submit_to]") {
    on_shards(2, [] {
        return smp::submit_to(1, [] { throw std::runtime_error("from afar"); })
            .then_wrapped([](future<> ended) {
                CHECK(this_shard_id() == 0);
                CHECK_THROWS_WITH(ended.get(), "from afar");
            });
    });
}

TEST_CASE("submit_to() brings home the error of the future that its callable returns",
          "[submit_to]") {
    on_shards(2, [] {
        return smp::submit_to(
                   1,
                   [] { return sleep(1ms).then([]() -> int { throw std::range_error("later"); }); })
            .then_wrapped(
                [](future<int> ended) { CHECK_THROWS_AS(ended.get(), std::range_error); });
    });
}

TEST_CASE("an error of another shard is said to be its answer, however it came about",
          "[submit_to]") {
    const expect_ignored_failures one(1);
    captured_stderr printed;
    run(tested_shards(2), [] {
        const auto fails = [] { return make_exception_future<>(std::runtime_error("over there")); };
        const auto fails_later = [fails] { return yield().then(fails); };
        const auto is_answer = [](future<> failed) {
            const internal::location_text origin(failed.origin());
            CHECK(std::string(origin.c_str()) == "answer of shard 1");
            failed.ignore_ready_future();
        };
        return smp::submit_to(1, fails)
            .then_wrapped(is_answer)
            .then([fails_later] { return smp::submit_to(1, fails_later); })
            .then_wrapped(is_answer)
            .then([fails] {
                (void)smp::submit_to(1, fails);  // Nobody reads it.
                return smp::submit_to(1, [] {});
            });
    });
    const std::string said = printed.take();
    CHECK(said.find("over there (from answer of shard 1") != std::string::npos);
}

TEST_CASE("submit_to() takes callables and results that can only be moved", "[submit_to]") {
    const auto doubled = on_shards(2, [] {
        return smp::submit_to(
            1, [number = std::make_unique<int>(21)] { return std::make_unique<int>(*number * 2); });
    });
    CHECK(*doubled == 42);
}

TEST_CASE("submit_to() copies a callable that is not given away", "[submit_to]") {
    on_shards(2, [] {
        auto add_one = [count = 0]() mutable { return ++count; };
        return smp::submit_to(1, add_one).then([add_one](int count) mutable {
            CHECK(count == 1);
            CHECK(add_one() == 1);
        });
    });
}

TEST_CASE("what a callable captures is destroyed on the shard that called", "[submit_to]") {
    const unsigned caller = GENERATE(0U, 1U);
    unsigned died_on = 99;
    on_shards(2, [&, caller] {
        return smp::submit_to(caller, [&, caller] {
            return smp::submit_to(1 - caller, [note = death_note(died_on)] { return sleep(1ms); });
        });
    });
    CHECK(died_on == caller);
}

TEST_CASE("a capture lives until the future of its callable is ready", "[submit_to]") {
    const unsigned to = GENERATE(0U, 1U);
    const auto text = on_shards(2, [to] {
        return smp::submit_to(to, [text = std::string("too long to be kept inline, as it is")] {
            return sleep(1ms).then([&text] { return text; });
        });
    });
    CHECK(text == "too long to be kept inline, as it is");
}

TEST_CASE("submit_to() to the own shard calls at once", "[submit_to]") {
    on_shards(2, [] {
        bool called = false;
        auto answer = smp::submit_to(0, [&called] {
            called = true;
            return 5;
        });
        CHECK(called);
        REQUIRE(answer.available());
        CHECK(answer.get() == 5);
        auto failed = smp::submit_to(0, [] { throw std::runtime_error("here"); });
        REQUIRE(failed.failed());
        CHECK_THROWS_WITH(failed.get(), "here");
    });
}

TEST_CASE("calls may be made from within calls", "[submit_to]") {
    const auto add_shard = [](const std::string& so_far) {
        return so_far + std::to_string(this_shard_id());
    };
    const auto path = on_shards(3, [add_shard] {
        return smp::submit_to(
                   1,
                   [add_shard] {
                       return smp::submit_to(
                                  2,
                                  [add_shard] {
                                      return smp::submit_to(
                                                 0,
                                                 [] {
                                                     return smp::submit_to(1, [] {
                                                         return std::to_string(this_shard_id());
                                                     });
                                                 })
                                          .then(add_shard);
                                  })
                           .then(add_shard);
                   })
            .then(add_shard);
    });
    CHECK(path == "1210");
}

TEST_CASE("calls from one shard to another begin in the order in which they were made",
          "[submit_to]") {
    std::vector<int> begun;
    on_shards(2, [&begun] {
        std::vector<future<>> calls;
        for (int i = 0; i < 1000; ++i) {
            calls.push_back(smp::submit_to(1, [&begun, i] { begun.push_back(i); }));
        }
        return when_all_succeed(calls.begin(), calls.end());
    });
    REQUIRE(begun.size() == 1000);
    CHECK(std::is_sorted(begun.begin(), begun.end()));
}

// Goal: full rings in every direction at once, with answers that need the same rings to be emptied
// by shards that are busy sending.
TEST_CASE("all shards can flood each other, and every call comes back", "[submit_to]") {
    constexpr int calls_per_pair = 1500;
    std::atomic<int> run_count{0};
    on_shards(4, [&run_count] {
        return smp::invoke_on_all([&run_count] {
            return parallel_for_each(smp::all_cpus(), [&run_count](unsigned to) {
                std::vector<future<int>> calls;
                for (int i = 0; i < calls_per_pair; ++i) {
                    calls.push_back(smp::submit_to(to, [&run_count, i] {
                        ++run_count;
                        return i;
                    }));
                }
                return when_all_succeed(calls.begin(), calls.end())
                    .then([](const std::vector<int>& answers) {
                        for (int i = 0; i < calls_per_pair; ++i) {
                            if (answers[static_cast<std::size_t>(i)] != i) {
                                throw std::logic_error("answers were mixed up");
                            }
                        }
                    });
            });
        });
    });
    CHECK(run_count == 4 * 4 * calls_per_pair);
}

// Goal: a shard that sleeps is woken, each time. Method: a chain of calls that leaves each shard
// with nothing to do in between, long enough to fall asleep.
TEST_CASE("a shard that has nothing else to do is woken by every call", "[submit_to]") {
    auto options = tested_shards(2);
    options.reactor.idle_poll_time = 0ns;
    int count = 0;
    run(options, [&count] {
        return do_until([&count] { return count == 500; },
                        [&count] {
                            return smp::submit_to(1, [] { return 1; }).then([&count](int one) {
                                count += one;
                            });
                        });
    });
    CHECK(count == 500);
}

TEST_CASE("invoke_on_all() calls a copy on every shard", "[submit_to]") {
    std::atomic<unsigned> shards{0};
    on_shards(4, [&shards] {
        return smp::invoke_on_all([&shards, own_count = 0]() mutable {
            if (++own_count != 1) {
                throw std::logic_error("shared");
            }
            shards |= 1U << this_shard_id();
        });
    });
    CHECK(shards == 0b1111);
}

TEST_CASE("invoke_on_others() leaves out the caller's shard", "[submit_to]") {
    std::atomic<unsigned> shards{0};
    on_shards(4, [&shards] {
        return smp::submit_to(2, [&shards] {
            return smp::invoke_on_others([&shards] {
                shards |= 1U << this_shard_id();
                return make_ready_future<>();
            });
        });
    });
    CHECK(shards == 0b1011);
}

TEST_CASE("invoke_on_all() waits for all shards, and fails if one does", "[submit_to]") {
    std::atomic<unsigned> count{0};
    on_shards(3, [&count] {
        return smp::invoke_on_all([&count] {
                   if (this_shard_id() == 1) {
                       throw std::runtime_error("not here");
                   }
                   return sleep(2ms).then([&count] { ++count; });
               })
            .then_wrapped([&count](future<> ended) {
                CHECK(count == 2);
                CHECK_THROWS_WITH(ended.get(), "not here");
            });
    });
}

// Method: all of them share one CPU, so a shard that waited without giving way would hold up all.
TEST_CASE("shards that share a CPU all stay live", "[submit_to]") {
    auto options = tested_shards(8);
    options.cpus = std::vector<unsigned>{discover_first_cpu()};
    std::atomic<int> count{0};
    run(options, [&count] {
        return smp::invoke_on_all([&count] {
            return parallel_for_each(shard_range(200), [&count](unsigned i) {
                return smp::submit_to((this_shard_id() + i) % smp::count, [&count, i] {
                    ++count;
                    return i % 50 == 0 ? sleep(100us) : make_ready_future<>();
                });
            });
        });
    });
    CHECK(count == 8 * 200);
}

TEST_CASE("the number of shards is known on each of them", "[submit_to]") {
    const unsigned count = GENERATE(1U, 3U);
    on_shards(count, [count] {
        return smp::invoke_on_all([count] {
            if (smp::count != count || this_smp_shard_count() != count ||
                smp::all_cpus().size() != count) {
                throw std::logic_error("wrong count");
            }
        });
    });
}
