#include <miniss/smp/app_template.hh>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <map>

#include <miniss/smp/cpu_list.hh>

namespace miniss {

struct app_template::implementation {
    app_config config;
    CLI::App parser;
    runtime_options options;
    unsigned shard_count = 0;
    std::string cpus;
    bool no_pin = false;
    std::string backend = "auto";

    explicit implementation(app_config&& given)
        : config(std::move(given)), parser(config.description, config.name) {
        const std::string& version = config.version.empty() ? MINISS_VERSION : config.version;
        parser.set_version_flag("--version", config.name + " " + version);
        parser.get_formatter()->column_width(36);
        parser.set_help_flag("--help,-h", "Print this and exit");
        const char* group = "Shards";
        parser.add_option("--smp", shard_count, "How many shards (default: one for each core)")
            ->check(CLI::Range(1U, shard_count_max).description(""))
            ->type_name("N")
            ->group(group);
        parser.add_option("--cpuset", cpus, "Only these CPUs, such as 0,2-5")
            ->type_name("LIST")
            ->group(group);
        parser.add_flag("--smt", options.use_smt, "A shard for each hardware thread of a core")
            ->group(group);
        parser.add_flag("--no-pin", no_pin, "Do not bind shards to CPUs")->group(group);
        parser.add_option("--backend", backend, "io_uring, epoll or auto (the default)")
            ->check(CLI::IsMember({"auto", "io_uring", "epoll"}).description(""))
            ->type_name("KIND")
            ->group(group);
    }

    void finish_options() {
        if (shard_count != 0) {
            options.shard_count = shard_count;
        }
        if (!cpus.empty()) {
            options.cpus = parse_cpu_list(cpus);
        }
        options.pin = !no_pin;
        options.backend = backend == "io_uring" ? backend_kind::io_uring
                          : backend == "epoll"  ? backend_kind::epoll
                                                : backend_kind::automatic;
    }

    int complain(const std::string& what) const {
        std::fprintf(stderr, "%s: %s\n", config.name.c_str(), what.c_str());
        return 1;
    }

    template <typename T>
    void add(const std::string& name, T& value, const std::string& help, const char* type) {
        parser.add_option(name, value, help)->type_name(type)->capture_default_str();
    }
};

app_template::app_template(app_config config)
    : _implementation(std::make_unique<implementation>(std::move(config))) {}
app_template::~app_template() = default;

app_template& app_template::add_option(const std::string& name, std::string& value,
                                       const std::string& help) {
    _implementation->add(name, value, help, "TEXT");
    return *this;
}

app_template& app_template::add_option(const std::string& name, unsigned& value,
                                       const std::string& help) {
    _implementation->add(name, value, help, "N");
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::uint64_t& value,
                                       const std::string& help) {
    _implementation->add(name, value, help, "N");
    return *this;
}

app_template& app_template::add_option(const std::string& name, double& value,
                                       const std::string& help) {
    _implementation->add(name, value, help, "NUMBER");
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::chrono::milliseconds& value,
                                       const std::string& help) {
    const std::map<std::string, std::uint64_t> units{{"ms", 1}, {"s", 1000}, {"m", 60'000}};
    _implementation->parser
        .add_option_function<std::uint64_t>(
            name,
            [&value](const std::uint64_t& count) {
                value = std::chrono::milliseconds(count);
            },
            help)
        ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"))
        ->default_str(std::to_string(value.count()) + "ms");
    return *this;
}

app_template& app_template::add_flag(const std::string& name, bool& value,
                                     const std::string& help) {
    _implementation->parser.add_flag(name, value, help);
    return *this;
}

int app_template::run_with(int argc, char** argv, runner run_main, void* main) {
    try {
        _implementation->parser.parse(argc, argv);
        _implementation->finish_options();
    } catch (const CLI::Success& asked) {  // --help or --version.
        return _implementation->parser.exit(asked);
    } catch (const std::exception& error) {
        return _implementation->complain(error.what());
    }
    try {
        return run_main(_implementation->options, main);
    } catch (const std::exception& error) {
        return _implementation->complain(error.what());
    } catch (...) {
        return _implementation->complain("failed with an exception of unknown type");
    }
}

}  // namespace miniss
