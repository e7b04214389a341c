// Dozens of shards that call each other, simulated on one thread, and what many shards cost.
#include <cstdio>
#include <optional>
#include <random>
#include <stdexcept>
#include <vector>

#include <miniss/smp/service_group.hh>
#include <miniss/smp/smp.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/smp/sim_shards.hh>
#include <miniss/tests/smp/stepped_shards.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

unsigned sign(unsigned caller) { return caller * 1000 + this_shard_id(); }

// All shards make calls of all kinds, as a seed draws them.
class crowd {
    std::mt19937 _generator;
    unsigned _shard_count;
    smp_service_group _outer;
    smp_service_group _inner;

public:
    int sent_count = 0;
    int answered_count = 0;
    int timed_out_count = 0;
    int wrong_count = 0;

    crowd(unsigned seed, unsigned shard_count, smp_service_group outer, smp_service_group inner)
        : _generator(seed), _shard_count(shard_count), _outer(outer), _inner(inner) {}

    void call() {
        const unsigned self = this_shard_id();
        const unsigned to = draw(_shard_count);
        const unsigned via = draw(_shard_count);
        const unsigned next = (self + 1) % _shard_count;
        const auto sign_here = [self] { return sign(self); };
        switch (draw(7)) {
        case 0:
            return expect(self * 1000 + to, smp::submit_to(to, sign_here));
        case 1:
            return expect({},
                          smp::submit_to(to, []() -> unsigned { throw std::range_error("no"); }));
        case 2:
            return expect(self * 1000 + to,
                          smp::submit_to(to, [sign_here, time = draw(1000) * 1us] {
                              return sleep(time).then(sign_here);
                          }));
        case 3:
            return expect(self * 1000 + via, smp::submit_to(to, [sign_here, via] {
                              return smp::submit_to(via, sign_here);
                          }));
        case 4:  // More than a ring and an outbox take.
            for (unsigned i = 0; draw(8) == 0 && i < 1500; ++i) {
                expect(self * 1000 + to, smp::submit_to(to, sign_here));
            }
            return;
        case 5:
            return expect(self * 1000 + via,
                          smp::submit_to(to, _outer, [sign_here, via, inner = _inner] {
                              return smp::submit_to(via, inner, sign_here);
                          }));
        default:  // There is one place for these.
            return expect(self * 1000 + next,
                          smp::submit_to(next, {_outer, engine().now() + 1us},
                                         [sign_here] { return sleep(10us).then(sign_here); }));
        }
    }

private:
    unsigned draw(unsigned end) {
        return std::uniform_int_distribution<unsigned>(0, end - 1)(_generator);
    }

    // Nothing: an error.
    void expect(std::optional<unsigned> expected, future<unsigned>&& answer) {
        ++sent_count;
        (void)std::move(answer).then_wrapped([this, expected](future<unsigned> ended) {
            ++answered_count;
            try {
                wrong_count += ended.get() == expected ? 0 : 1;
            } catch (const semaphore_timed_out&) {
                ++timed_out_count;
            } catch (const std::range_error&) {
                wrong_count += expected ? 1 : 0;
            }
        });
    }
};

}  // namespace

TEST_CASE("dozens of shards that call each other in every way all get their answers",
          "[many_shards]") {
    const unsigned seed = GENERATE(range(1U, 7U));
    CAPTURE(seed);
    const unsigned shard_count = seed == 1 ? 64 : 20;
    sim_shards shards(shard_count, seed);
    const auto make_group = [] { return create_smp_service_group({.max_nonlocal_requests = 1}); };
    const auto outer = shards.run(make_group);
    const auto inner = shards.run(make_group);
    crowd all(seed, shard_count, outer, inner);
    for (int round = 0; round < 40; ++round) {
        for (unsigned id = 0; id < shard_count; ++id) {
            shards.on(id, [&all] { all.call(); });
            shards.world().step();
        }
    }
    shards.run([] { return sleep(1s); });
    CHECK(all.answered_count == all.sent_count);
    CHECK(all.wrong_count == 0);
    CHECK(all.timed_out_count > 0);
    shards.run([&] { return destroy_smp_service_group(outer); });  // All places were given back.
    shards.run([&] { return destroy_smp_service_group(inner); });
}

// Method: shards take turns at random, and keep the order of what is ready, so that only mail could
// change it.
TEST_CASE("calls of one pair of shards keep their order, whatever those of others do",
          "[many_shards]") {
    const unsigned seed = GENERATE(range(1U, 6U));
    CAPTURE(seed);
    constexpr unsigned shard_count = 16;
    std::mt19937 generator(seed);
    std::uniform_int_distribution<unsigned> draw_shard(0, shard_count - 1);
    std::vector<int> sent_counts(shard_count * shard_count);
    std::vector<int> begun_counts(shard_count * shard_count);
    int disorder_count = 0;
    stepped_shards shards(shard_count);
    for (int round = 0; round < 3000; ++round) {
        const unsigned from = draw_shard(generator);
        const unsigned to = draw_shard(generator);
        const unsigned pair = from * shard_count + to;
        for (int left = round % 100 == 0 ? 300 : 2; left != 0; --left) {
            shards.on(from, [&, pair, number = sent_counts[pair]++] {
                (void)smp::submit_to(to, [&, pair, number] {
                    disorder_count += begun_counts[pair]++ == number ? 0 : 1;
                });
            });
        }
        shards.turn(draw_shard(generator));
    }
    shards.run_until_rest();
    CHECK(disorder_count == 0);
    CHECK(begun_counts == sent_counts);
}

TEST_CASE("what a shard costs hardly grows with how many others there are", "[many_shards]") {
    std::puts("shards   KiB each   bytes for a pair that talks   lanes looked at in a turn");
    for (const unsigned shard_count : {2U, 16U, 128U}) {
        const long before = live_allocated_bytes();
        stepped_shards shards(shard_count);
        const long idle_bytes = (live_allocated_bytes() - before) / shard_count;
        const auto talk = [&shards](unsigned from, unsigned to) {
            shards.on(from, [to] { (void)smp::submit_to(to, [] {}); });
            shards.run_until_rest();
        };
        talk(0, 1);
        const long pair_bytes = live_allocated_bytes() - before - idle_bytes * shard_count;
        const std::size_t looked_at_count = shards[1].mail.watched_count();
        std::printf("%6u %10.1f %29ld %27zu\n", shard_count, static_cast<double>(idle_bytes) / 1024,
                    pair_bytes, looked_at_count);
        CHECK(idle_bytes < 10'000);
        CHECK(pair_bytes < 12'000);
        CHECK(looked_at_count == 1);  // Whoever talked, of however many there are.
        CHECK(shards[shard_count - 1].mail.watched_count() == (shard_count == 2 ? 1 : 0));
    }
}
