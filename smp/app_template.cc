#include <miniss/smp/app_template.hh>

#include <CLI/CLI.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <miniss/smp/cpu_list.hh>

namespace miniss {

namespace {

struct time_unit {
    std::string_view name;
    std::chrono::milliseconds length;
};
constexpr time_unit time_units[] = {
    {"ms", std::chrono::milliseconds(1)},
    {"s", std::chrono::seconds(1)},
    {"m", std::chrono::minutes(1)},
    {"h", std::chrono::hours(1)},
};

// Reads "500ms" and the like.
std::optional<std::chrono::milliseconds> parse_time(std::string_view text) {
    std::int64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc() || count < 0) {
        return {};
    }
    const std::string_view unit_name(stop, static_cast<std::size_t>(end - stop));
    for (const time_unit& unit : time_units) {
        if (unit.name == unit_name &&
            count <= std::chrono::milliseconds::max().count() / unit.length.count()) {
            return count * unit.length;
        }
    }
    return {};
}

// In the largest unit that leaves no remainder.
std::string format_time(std::chrono::milliseconds time) {
    const time_unit* best = &time_units[0];
    for (const time_unit& unit : time_units) {
        if (time % unit.length == std::chrono::milliseconds::zero()) {
            best = &unit;
        }
    }
    return std::to_string(time / best->length) + std::string(best->name);
}

}  // namespace

struct app_template::implementation {
    app_config config;
    CLI::App parser;
    runtime_options options;
    unsigned shard_count = 0;
    std::string cpus;
    bool no_pin = false;
    std::string backend = "auto";
    unsigned stall_limit_ms = static_cast<unsigned>(runtime_options().stall_limit.count());

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
        parser
            .add_option("--blocked-reactor-notify-ms", stall_limit_ms,
                        "Report tasks that hold their shard longer (0: none)")
            ->type_name("MS")
            ->capture_default_str()
            ->group(group);
        parser
            .add_option("--blocked-reactor-reports-per-minute", options.stall_reports_per_minute,
                        "At most so many of them")
            ->type_name("N")
            ->capture_default_str()
            ->group(group);
    }

    void finish_options() {
        if (shard_count != 0) {
            options.shard_count = shard_count;
        }
        if (parser.count("--cpuset") != 0) {
            options.cpus = parse_cpu_list(cpus);
        }
        options.pin = !no_pin;
        options.stall_limit = std::chrono::milliseconds(stall_limit_ms);
        options.dump_signal = config.dump_on_sigusr1 ? SIGUSR1 : 0;
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
    const auto read = [name, &value](const std::string& text) {
        const auto time = parse_time(text);
        if (!time) {
            throw std::runtime_error(name + ": \"" + text +
                                     "\" is not a time such as 500ms, 2s, 1m or 1h");
        }
        value = *time;
    };
    _implementation->parser.add_option_function<std::string>(name, read, help)
        ->type_name("TIME")
        ->default_str(format_time(value));
    return *this;
}

app_template& app_template::add_arguments(const std::string& name, std::vector<std::string>& values,
                                          const std::string& help) {
    _implementation->parser.add_option(name, values, help)->type_name("");
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
