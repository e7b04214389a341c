// A program's main(): options, shards, exit status.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <miniss/core/future.hh>
#include <miniss/smp/app_options.hh>
#include <miniss/smp/runtime.hh>

namespace miniss {

struct app_config {
    std::string name;
    std::string description = {};
    std::string version = {};  // Of the program; that of miniss if empty.
    // Whether SIGUSR1 prints what waits on the shards. No: the program has its own use for it.
    bool dump_on_sigusr1 = true;
};

// Reads the options, runs main on shard 0 with the shards that they ask for, and turns what comes
// out into an exit status. What is wrong is told in one line on stderr.
//
// Every program has options for its shards, its log and itself, which --help lists; add_option()
// and add_options() add its own. An option is taken from the command line; if it is not there, from
// the environment; else from the file that --config names; else it has its default. In the
// environment the program's own --some-option is NAME_SOME_OPTION, after the program's name, and
// those that every program has begin with MINISS_, like MINISS_SMP. The file has lines like
// `some-option = 7`. What is not known there is refused, and so is an option that is given twice in
// one place, and a number that is too large or no number for its variable. Unknown variables of the
// environment are nobody's business: orchestrators set some after the names of services. A flag may
// be repeated, and so may an option that takes a list.
//
// On SIGUSR1 the program prints what waits on its shards, see core/dump_tasks.hh.
//
// Lifetime: variables that options are bound to must outlive run(). Their values at the time of
//           add_option() are the defaults.
class app_template {
    struct implementation;
    std::unique_ptr<implementation> _implementation;
    app_configuration _configuration;

public:
    explicit app_template(app_config config);
    ~app_template();
    app_template(const app_template&) = delete;
    app_template& operator=(const app_template&) = delete;

    // `name` like "--listen", or "--listen,-l".
    app_template& add_option(const std::string& name, std::string& value, const std::string& help);
    app_template& add_option(const std::string& name, int& value, const std::string& help);
    app_template& add_option(const std::string& name, unsigned& value, const std::string& help);
    app_template& add_option(const std::string& name, std::uint16_t& value,
                             const std::string& help);
    app_template& add_option(const std::string& name, std::uint64_t& value,
                             const std::string& help);
    app_template& add_option(const std::string& name, double& value, const std::string& help);
    // With a unit: 500ms, 2s, 1m, 1h.
    app_template& add_option(const std::string& name, std::chrono::milliseconds& value,
                             const std::string& help);
    // This one may be given several times, or with commas between its values.
    app_template& add_option(const std::string& name, std::vector<std::string>& values,
                             const std::string& help);
    // What stands on the command line without an option in front of it.
    app_template& add_arguments(const std::string& name, std::vector<std::string>& values,
                                const std::string& help);
    app_template& add_flag(const std::string& name, bool& value, const std::string& help);

    // Adds options that are read by their name, one for each pair of parentheses behind it:
    //     app.add_options()("port,p", value<std::uint16_t>(7000), "Where to listen")
    //                      ("verbose", value<bool>(), "Tell more");
    //     … app.configuration()["port"].as<std::uint16_t>()
    class options_adder {
        app_template& _app;

    public:
        explicit options_adder(app_template& app) noexcept : _app(app) {}

        template <typename T>
        options_adder& operator()(const std::string& name, option_value<T> what,
                                  const std::string& help) {
            const auto comma = name.find(',');
            const std::string both =
                "--" + name.substr(0, comma) +
                (comma == std::string::npos ? "" : ",-" + name.substr(comma + 1));
            T& place = _app._configuration.add(name.substr(0, comma), std::move(what.initial));
            if constexpr (std::is_same_v<T, bool>) {
                _app.add_flag(both, place, help);
            } else {
                _app.add_option(both, place, help);
            }
            return *this;
        }
    };
    options_adder add_options() noexcept { return options_adder(*this); }
    const app_configuration& configuration() const noexcept { return _configuration; }

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
