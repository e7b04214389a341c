// Says hello from every shard.
#include <cstdio>

#include <miniss/smp/app_template.hh>
#include <miniss/smp/smp.hh>

using namespace miniss;

int main(int argc, char** argv) {
    app_template app({.name = "hello", .description = "Says hello from every shard."});
    return app.run(argc, argv, [] {
        return smp::invoke_on_all([] {
            // What runs here has its core for itself: no locks, no other thread.
            std::printf("hello from shard %u of %u\n", this_shard_id(), smp::count);
        });
    });
}
