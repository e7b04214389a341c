#include <miniss/smp/app_template.hh>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <miniss/core/log.hh>
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

// "some-option" is SOME_OPTION.
std::string environment_name(std::string_view option) {
    std::string name;
    for (const char letter : option) {
        const bool small = letter >= 'a' && letter <= 'z';
        const bool other = (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
        name += small ? static_cast<char>(letter - 'a' + 'A') : other ? letter : '_';
    }
    return name;
}

log_level read_log_level(std::string_view name) {
    const auto level = parse_log_level(name);
    if (!level) {
        throw std::runtime_error("\"" + std::string(name) +
                                 "\" is not a log level: error, warn, info, debug or trace");
    }
    return *level;
}

}  // namespace

struct app_template::implementation {
    app_config config;
    CLI::App parser;
    std::string own_group;
    std::vector<CLI::Option*> own;  // What the program has added.
    runtime_options options;
    unsigned shard_count = 0;
    std::string cpus;
    bool no_pin = false;
    std::string backend = "auto";
    unsigned stall_limit_ms = static_cast<unsigned>(runtime_options().stall_limit.count());
    std::uint64_t idle_poll_us = 0;
    std::string log_level_name = "info";
    std::vector<std::string> logger_levels;
    bool help_loggers = false;

    explicit implementation(app_config&& given)
        : config(std::move(given)),
          parser(config.description, config.name),
          own_group("Options of " + config.name) {
        parser.get_formatter()->column_width(36);
        parser.allow_config_extras(CLI::config_extras_mode::error);
        parser.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        parser.footer(
            "\nAn option that is not given here is taken from the environment (--smp from "
            "MINISS_SMP,\nthe program's own from " +
            environment_name(config.name) +
            "_…), else from the file, which has lines like smp = 2.");
    }

    // Behind the program's own, which is what its user looks for.
    void add_common_options() {
        add_shard_options();
        add_log_options();
        const char* group = "Other";
        const std::string& version = config.version.empty() ? MINISS_VERSION : config.version;
        parser.set_config("--config", "", "Read options from this file")
            ->type_name("FILE")
            ->group(group);
        parser.set_help_flag("--help,-h", "Print this and exit")->group(group);
        parser.set_version_flag("--version", config.name + " " + version)->group(group);
    }

    void add_shard_options() {
        const char* group = "Shards";
        parser.add_option("--smp,-c", shard_count, "How many shards (default: one for each core)")
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
        idle_poll_us = static_cast<std::uint64_t>(options.reactor.idle_poll_time.count() / 1000);
        parser
            .add_option(
                "--idle-poll-time-us", idle_poll_us,
                "How long to look for work before sleeping,\nwhere the last waits were short")
            ->check(CLI::Range(std::uint64_t(0), std::uint64_t(1'000'000)).description(""))
            ->type_name("N")
            ->capture_default_str()
            ->group(group);
    }

    void add_log_options() {
        const char* group = "Log";
        parser
            .add_option("--default-log-level,--log-level", log_level_name,
                        "error, warn, info, debug or trace")
            ->type_name("LEVEL")
            ->capture_default_str()
            ->group(group);
        parser
            .add_option("--logger-log-level", logger_levels,
                        "Another level for a logger; several, with\ncommas or one by one")
            ->type_name("NAME=LEVEL")
            ->delimiter(',')
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->group(group);
        parser.add_flag("--help-loggers", help_loggers, "Print the names of the loggers and exit")
            ->group(group);
    }

    // What the environment has to say, as if it stood on the command line.
    std::vector<std::string> read_environment() const {
        std::vector<std::string> arguments;
        const std::string own_prefix = environment_name(config.name) + '_';
        for (const CLI::Option* option : parser.get_options()) {
            if (option->get_lnames().empty()) {
                continue;  // It has no name of its own on the command line either.
            }
            const std::string& name = option->get_lnames().front();
            const bool is_own = std::find(own.begin(), own.end(), option) != own.end();
            const std::string variable = (is_own ? own_prefix : "MINISS_") + environment_name(name);
            const char* value = std::getenv(variable.c_str());
            if (value != nullptr && *value != '\0') {
                arguments.push_back("--" + name + "=" + value);
            }
        }
        return arguments;
    }

    void parse(const std::vector<std::string>& arguments) {
        parser.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // It pops.
    }

    void read_options(int argc, char** argv) {
        std::vector<std::string> arguments = read_environment();
        if (!arguments.empty()) {
            try {
                parse(arguments);
            } catch (const std::exception& error) {
                throw std::runtime_error(std::string("in the environment: ") + error.what());
            }
        }
        arguments.insert(arguments.end(), argv + 1, argv + argc);
        parse(arguments);
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
        options.reactor.idle_poll_time = std::chrono::microseconds(idle_poll_us);
        set_all_loggers_level(read_log_level(log_level_name));
        for (const std::string& each : logger_levels) {
            const auto equal = each.find('=');
            if (equal == std::string::npos) {
                throw std::runtime_error("--logger-log-level: \"" + each + "\" is not NAME=LEVEL");
            }
            set_logger_level(each.substr(0, equal), read_log_level(each.substr(equal + 1)));
        }
    }

    int complain(const std::string& what) const {
        std::fprintf(stderr, "%s: %s\n", config.name.c_str(), what.c_str());
        return 1;
    }

    CLI::Option* keep(CLI::Option* option) {
        own.push_back(option->group(own_group));
        return option;
    }

    template <typename T>
    void add(const std::string& name, T& value, const std::string& help, const char* type) {
        keep(parser.add_option(name, value, help)->type_name(type)->capture_default_str());
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

app_template& app_template::add_option(const std::string& name, int& value,
                                       const std::string& help) {
    _implementation->add(name, value, help, "N");
    return *this;
}

app_template& app_template::add_option(const std::string& name, unsigned& value,
                                       const std::string& help) {
    _implementation->add(name, value, help, "N");
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::uint16_t& value,
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
    _implementation->keep(
        _implementation->parser.add_option_function<std::string>(name, read, help)
            ->type_name("TIME")
            ->default_str(format_time(value)));
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::vector<std::string>& values,
                                       const std::string& help) {
    _implementation->add(name, values, help, "TEXT");
    _implementation->own.back()->delimiter(',')->multi_option_policy(
        CLI::MultiOptionPolicy::TakeAll);
    return *this;
}

app_template& app_template::add_arguments(const std::string& name, std::vector<std::string>& values,
                                          const std::string& help) {
    _implementation->parser.add_option(name, values, help)->type_name("");
    return *this;
}

app_template& app_template::add_flag(const std::string& name, bool& value,
                                     const std::string& help) {
    _implementation->keep(_implementation->parser.add_flag(name, value, help));
    return *this;
}

int app_template::run_with(int argc, char** argv, runner run_main, void* main) {
    try {
        _implementation->add_common_options();
        _implementation->read_options(argc, argv);
        _implementation->finish_options();
        if (_implementation->help_loggers) {
            (void)internal::miniss_log();  // Made when it is first needed.
            for (const std::string& name : logger_names()) {
                std::printf("%s\n", name.c_str());
            }
            return 0;
        }
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
