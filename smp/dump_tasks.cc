#include <miniss/smp/dump_tasks.hh>

#include <system_error>

#include <miniss/core/signal.hh>
#include <miniss/smp/smp.hh>

namespace miniss {

future<> dump_tasks_of_all_shards() noexcept {
    return smp::invoke_on_all([] { dump_tasks(); }, code_location::named("dump_tasks"));
}

void internal::dump_tasks_on_signal(int number) noexcept {
    try {
        handle_signal(number, [] {
            // If the shards stop now, there is nothing to see any more.
            run_in_background("dump_tasks", dump_tasks_of_all_shards().handle_exception(
                                                [](const std::exception_ptr&) {}));
        });
    } catch (const std::system_error&) {
        // Who has no descriptors left has other worries, and hears of them.
    }
}

}  // namespace miniss
