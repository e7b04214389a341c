// A program that hangs in known ways, says what dump_tasks() would, and then ends with a signal,
// for the gdb script.
#include <csignal>
#include <cstdio>
#include <vector>

#include <miniss/core/coroutine.hh>
#include <miniss/core/coroutine/all.hh>
#include <miniss/core/do_with.hh>
#include <miniss/core/dump_tasks.hh>
#include <miniss/core/future.hh>
#include <miniss/core/loop.hh>
#include <miniss/core/thread.hh>
#include <miniss/core/when_all.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

future<> wait_in_coroutine(future<> before) {
    co_await std::move(before);  // The coroutine.
}

future<int> wait_twice() {
    co_await coroutine::all(wait_in_coroutine(sleep(1h)), sleep(2h));  // The pair.
    co_return 1;
}

void wait_in_background(future<> end) { run_in_background("one of many", std::move(end)); }

void hang() {
    wait_in_background(wait_twice().then([](int) {}));
    wait_in_background(when_all(sleep(3h), sleep(4h)).discard_result());
    wait_in_background(do_with(1, [](int) { return keep_doing([] { return sleep(5h); }); }));
    wait_in_background(async([] {
        sleep(6h).get();  // The fiber.
    }));
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
            wait_in_background(made.then([] {}));  // The chain.
        }
        hang();
        return sleep(1ms).then([] {
            std::puts(describe_tasks(*this_shard).c_str());
            (void)std::fflush(stdout);
            std::raise(SIGABRT);
        });
    });
}
