// What another project writes: includes of every layer, a call to another shard, a fiber, an
// option.
#include <cstdio>

#include <miniss/core/future.hh>
#include <miniss/core/thread.hh>
#include <miniss/net/http/server.hh>
#include <miniss/net/listener.hh>
#include <miniss/smp/app_template.hh>
#include <miniss/smp/smp.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;

int main(int argc, char** argv) {
    unsigned factor = 6;
    app_template app({.name = "consumer", .description = "Uses miniss from outside."});
    app.add_option("--factor", factor, "What to multiply by");
    return app.run(argc, argv, [&factor] {
        return sleep(std::chrono::milliseconds(1))
            .then([&factor] {
                return smp::submit_to(smp::count - 1, [factor] { return factor * 7; });
            })
            .then([](unsigned product) {
                return async([product] {
                    sleep(std::chrono::milliseconds(1)).get();
                    std::printf("%u\n", product);
                });
            });
    });
}
