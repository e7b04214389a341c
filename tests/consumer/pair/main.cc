// Calls two libraries that both use miniss: there must be only one of it.
#include <cstdio>

#include <miniss/core/when_all.hh>
#include <miniss/smp/app_template.hh>

miniss::future<int> left();
miniss::future<int> right();

int main(int argc, char** argv) {
    miniss::app_template app({.name = "pair"});
    return app.run(argc, argv, [] {
        return miniss::when_all_succeed(left(), right()).then([](std::tuple<int, int> factors) {
            std::printf("%d\n", std::get<0>(factors) * std::get<1>(factors));
        });
    });
}
