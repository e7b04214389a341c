// What coroutines cost.
#include <miniss/core/coroutine.hh>

#include <miniss/bench/shard.hh>

using namespace miniss;
using namespace miniss::bench;

namespace {

using count = std::uint64_t;
constexpr count one = 1;

future<count> give(count x) { co_return hidden(x); }

// Without the check, as a time slice ends long before a sample does.
future<count> give_awaited(count x) {
    co_return co_await without_preemption_check(make_ready_future<count>(hidden(x)));
}

count coroutine_plain(trial& each) {
    return each.sum([] { return give(hidden(one)).get(); });
}

// Beside coroutine_plain it shows what a co_await on a ready future costs.
count coroutine_co_await_ready(trial& each) {
    return each.sum([] { return give_awaited(hidden(one)).get(); });
}

future<count> await_ready_rounds(trial& each) {
    count sum = 0;
    for (count i = 0; i < each.rounds; ++i) {
        sum += co_await make_ready_future<count>(hidden(one));
    }
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    return run_benchmarks(argc, argv,
                          {
                              {"coroutine_plain", on_shard<coroutine_plain>},
                              {"coroutine_co_await_ready", on_shard<coroutine_co_await_ready>},
                              {"co_await_ready", on_shard<await_ready_rounds>},
                          });
}
