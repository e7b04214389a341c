// What loops cost for each round.
#include <miniss/core/loop.hh>

#include <array>
#include <vector>

#include <miniss/bench/shard.hh>

using namespace miniss;
using namespace miniss::bench;

namespace {

using count = std::uint64_t;
constexpr count one = 1;

// How many elements a round of the loops over ranges has.
constexpr count range_size = 1000;
constexpr count parallel_size = 16;

// Calls loop(sum), which adds to the sum, and gives the sum when its future is ready.
template <typename Loop>
future<count> summed(Loop loop) {
    return do_with(count{0}, std::move(loop),
                   [](count& sum, Loop& kept) { return kept(sum).then([&sum] { return sum; }); });
}

stop_iteration stop_at(bool end) { return end ? stop_iteration::yes : stop_iteration::no; }

future<count> repeat_plain(trial& each) {
    return summed([&each](count& sum) {
        return repeat([&each, &sum] {
            sum += hidden(one);
            return stop_at(sum == each.rounds);
        });
    });
}

future<count> repeat_ready(trial& each) {
    return summed([&each](count& sum) {
        return repeat([&each, &sum] {
            sum += hidden(one);
            return make_ready_future<stop_iteration>(stop_at(sum == each.rounds));
        });
    });
}

// A chain in each round that has to wait, and with it the loop.
future<count> repeat_pending_then(trial& each) {
    return summed([&each](count& sum) {
        return repeat([&each, &sum] {
            promise<> source;
            auto round = source.get_future().then([&each, &sum] {
                sum += hidden(one);
                return stop_at(sum == each.rounds);
            });
            source.set_value();
            return round;
        });
    });
}

future<count> do_until_ready(trial& each) {
    return summed([&each](count& sum) {
        return do_until([&each, &sum] { return sum == each.rounds; },
                        [&sum] {
                            sum += hidden(one);
                            return make_ready_future<>();
                        });
    });
}

// Calls walk(sum, elements) for each round, one after the other.
template <std::size_t Size, typename Walk>
future<count> walk_often(trial& each, Walk walk) {
    return do_with(std::vector<count>(Size, one), count{0}, std::move(walk),
                   [&each](std::vector<count>& elements, count& sum, Walk& kept) {
                       return do_until([&each, &sum] { return sum == each.rounds * Size; },
                                       [&elements, &sum, &kept] { return kept(sum, elements); })
                           .then([&sum] { return sum; });
                   });
}

future<count> do_for_each_vector(trial& each) {
    return walk_often<range_size>(each, [](count& sum, std::vector<count>& elements) {
        return do_for_each(elements, [&sum](count element) {
            sum += hidden(element);
            return make_ready_future<>();
        });
    });
}

future<count> parallel_ready(trial& each) {
    return walk_often<parallel_size>(each, [](count& sum, std::vector<count>& elements) {
        return parallel_for_each(elements, [&sum](count element) {
            sum += hidden(element);
            return make_ready_future<>();
        });
    });
}

future<count> parallel_pending(trial& each) {
    return walk_often<parallel_size>(each, [](count& sum, std::vector<count>& elements) {
        return do_with(std::array<promise<>, parallel_size>(),
                       [&sum, &elements](std::array<promise<>, parallel_size>& sources) {
                           auto next = sources.begin();
                           auto all = parallel_for_each(elements, [&sum, &next](count element) {
                               sum += hidden(element);
                               return (next++)->get_future();
                           });
                           for (promise<>& source : sources) {
                               source.set_value();
                           }
                           return all;
                       });
    });
}

}  // namespace

int main(int argc, char** argv) {
    return run_benchmarks(argc, argv,
                          {
                              {"repeat_plain", on_shard<repeat_plain>},
                              {"repeat_ready", on_shard<repeat_ready>},
                              {"repeat_pending_then", on_shard<repeat_pending_then>},
                              {"do_until_ready", on_shard<do_until_ready>},
                              {"do_for_each_vector", on_shard<do_for_each_vector>, range_size},
                              {"parallel_16_ready", on_shard<parallel_ready>, parallel_size},
                              {"parallel_16_pending", on_shard<parallel_pending>, parallel_size},
                          });
}
