// What fibers cost.
#include <miniss/core/thread.hh>

#include <miniss/bench/shard.hh>

using namespace miniss;
using namespace miniss::bench;

namespace {

using count = std::uint64_t;
constexpr count one = 1;

count fiber_plain(trial& each) {
    return each.sum([] { return async([] { return hidden(one); }).get(); });
}

// Out of a fiber and, by the run queue, back into it.
future<count> fiber_yield(trial& each) {
    return async([&each] {
        return each.sum([] {
            thread::yield();
            return hidden(one);
        });
    });
}

}  // namespace

int main(int argc, char** argv) {
    return run_benchmarks(argc, argv,
                          {
                              {"fiber_plain", on_shard<fiber_plain>},
                              {"fiber_yield", on_shard<fiber_yield>},
                          });
}
