// A program that hangs in known ways, and then ends with a signal, for the gdb script.
#include <csignal>
#include <vector>

#include <miniss/core/coroutine.hh>
#include <miniss/core/future.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

future<> wait_in_coroutine(future<> before) {
    co_await std::move(before);  // The coroutine.
}

}  // namespace

int main() {
    runtime_options options;
    options.shard_count = 1;
    options.pin = false;
    options.backend = backend_kind::epoll;
    std::vector<promise<>> forgotten(7);
    run(options, [&forgotten] {
        for (auto& each : forgotten) {
            auto made = each.get_future();
            run_in_background("one of many",      //
                              made.then([] {}));  // The chain.
        }
        run_in_background("coroutine", wait_in_coroutine(sleep(1h)));
        return sleep(1ms).then([] { std::raise(SIGABRT); });
    });
}
