// A program's main(): options, shards, exit status.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <miniss/core/future.hh>
#include <miniss/smp/runtime.hh>

namespace miniss {

struct app_config {
    std::string name;
    std::string description = {};
    std::string version = {};  // Of the program; that of miniss if empty.
    // Whether SIGUSR1 prints what waits on the shards. No: the program has its own use for it.
    bool dump_on_sigusr1 = true;
};

// Parses the command line, runs main on shard 0 with the shards that the command line asks for, and
// turns what comes out into an exit status. What is wrong is told in one line on stderr.
//
// Every program has --smp, --cpuset, --smt, --no-pin, --backend, --help, --version and those that
// begin with --blocked-reactor; add_option() adds its own. On SIGUSR1 it prints what waits on its
// shards, see core/dump_tasks.hh.
//
// Lifetime: variables that options are bound to must outlive run(). Their values at the time of
//           add_option() are the defaults.
class app_template {
    struct implementation;
    std::unique_ptr<implementation> _implementation;

public:
    explicit app_template(app_config config);
    ~app_template();
    app_template(const app_template&) = delete;
    app_template& operator=(const app_template&) = delete;

    // `name` like "--listen".
    app_template& add_option(const std::string& name, std::string& value, const std::string& help);
    app_template& add_option(const std::string& name, unsigned& value, const std::string& help);
    app_template& add_option(const std::string& name, std::uint64_t& value,
                             const std::string& help);
    app_template& add_option(const std::string& name, double& value, const std::string& help);
    // With a unit: 500ms, 2s, 1m, 1h.
    app_template& add_option(const std::string& name, std::chrono::milliseconds& value,
                             const std::string& help);
    // What stands on the command line without an option in front of it.
    app_template& add_arguments(const std::string& name, std::vector<std::string>& values,
                                const std::string& help);
    app_template& add_flag(const std::string& name, bool& value, const std::string& help);

    // main returns nothing, an int (the exit status), or a future of these.
    // Returns the exit status: 1 if an option was wrong, if the shards could not start or if main
    // failed.
    template <typename Func>
    int run(int argc, char** argv, Func&& main) {
        using result = typename futurize<std::invoke_result_t<std::decay_t<Func>&>>::value_type;
        return run_with(
            argc, argv,
            [](const runtime_options& options, void* called) -> int {
                auto& func = *static_cast<std::remove_reference_t<Func>*>(called);
                if constexpr (std::is_void_v<result>) {
                    miniss::run(options, func);
                    return 0;
                } else {
                    return miniss::run(options, func);
                }
            },
            static_cast<void*>(&main));
    }

private:
    using runner = int (*)(const runtime_options& options, void* main);
    int run_with(int argc, char** argv, runner run_main, void* main);
};

}  // namespace miniss
