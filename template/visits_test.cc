// Visits are counted, whichever shard they come to.
#include <cstdio>
#include <string>

#include <miniss/core/coroutine.hh>
#include <miniss/smp/runtime.hh>

#include "visits.hh"

using namespace miniss;

namespace {

int failure_count = 0;

void expect(unsigned expected, unsigned found, const std::string& what) {
    if (expected != found) {
        std::printf("%s: %u instead of %u\n", what.c_str(), found, expected);
        ++failure_count;
    }
}

future<> test_visits() {
    sharded<visits> all;
    co_await all.start();
    for (unsigned shard = 0; shard < smp::count; ++shard) {
        const unsigned count =
            co_await smp::submit_to(shard, [&all] { return count_visit(all, "ann"); });
        expect(shard + 1, count, "ann at shard " + std::to_string(shard));
    }
    const unsigned first = co_await count_visit(all, "bob");
    expect(1, first, "bob");
    co_await all.stop();
}

}  // namespace

int main() {
    runtime_options options;
    options.shard_count = 3;
    miniss::run(options, test_visits);
    return failure_count == 0 ? 0 : 1;
}
