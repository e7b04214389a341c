#include <miniss/smp/app_template.hh>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string_view>

#include <miniss/core/log.hh>
#include <miniss/smp/cpu_list.hh>
#include <miniss/smp/option_text.hh>

namespace miniss {

namespace {

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
    std::string config_file;

    explicit implementation(app_config&& given)
        : config(std::move(given)),
          parser(config.description, config.name),
          own_group("Options of " + config.name) {
        parser.get_formatter()->column_width(36);
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
        parser.add_option("--config", config_file, "Read options from this file")
            ->type_name("FILE")
            ->configurable(false)
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

    std::string variable_of(const CLI::Option& option) const {
        const bool is_own = std::find(own.begin(), own.end(), &option) != own.end();
        return (is_own ? environment_name(config.name) + '_' : "MINISS_") +
               environment_name(option.get_lnames().front());
    }

    // What the environment has to say beside the command line, as it would stand there.
    std::vector<std::string> read_environment() const {
        std::vector<std::string> arguments;
        for (const CLI::Option* option : parser.get_options()) {
            if (option->get_lnames().empty()) {
                continue;  // It has no name of its own on the command line either.
            }
            const char* value = std::getenv(variable_of(*option).c_str());
            if (value != nullptr && *value != '\0' && option->count() == 0) {
                arguments.push_back("--" + option->get_lnames().front() + "=" + value);
            }
        }
        return arguments;
    }

    // The same of the file.
    std::vector<std::string> read_file() const {
        std::vector<std::string> arguments;
        std::set<const CLI::Option*> seen;
        for (const CLI::ConfigItem& item :
             parser.get_config_formatter_base()->from_file(config_file)) {
            const CLI::Option* option = parser.get_option_no_throw("--" + item.fullname());
            if (option == nullptr || !option->get_configurable()) {
                throw std::runtime_error("in " + config_file + ": no option is called " +
                                         item.fullname());
            }
            // A flag takes none, and a list several.
            const bool may_repeat = option->get_items_expected_max() != 1;
            if (!seen.insert(option).second && !may_repeat) {
                throw std::runtime_error("in " + config_file + ": " + item.fullname() +
                                         " is given twice");
            }
            for (const std::string& input : item.inputs) {
                if (option->count() == 0) {
                    arguments.push_back("--" + item.name + "=" + input);
                }
            }
        }
        return arguments;
    }

    void parse(const std::vector<std::string>& arguments) {
        parser.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // It pops.
    }

    // Adds what `place` has to say to the command line.
    void parse_also(std::vector<std::string>& arguments, const std::vector<std::string>& more,
                    const std::string& place) {
        arguments.insert(arguments.begin(), more.begin(), more.end());
        try {
            parse(arguments);
        } catch (const std::exception& error) {
            throw std::runtime_error("in " + place + ": " + error.what());
        }
    }

    void read_options(int argc, char** argv) {
        std::vector<std::string> arguments(argv + 1, argv + argc);
        parse(arguments);
        parse_also(arguments, read_environment(), "the environment");
        if (!config_file.empty()) {
            parse_also(arguments, read_file(), config_file);
        }
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
            warn_of_unknown(each.substr(0, equal));
        }
    }

    // Perhaps there will be one later.
    static void warn_of_unknown(const std::string& name) {
        logger& log = internal::miniss_log();  // Which is one itself, from now on.
        std::string known;
        for (const std::string& each : logger_names()) {
            if (each == name) {
                return;
            }
            known += (known.empty() ? "" : ", ") + each;
        }
        log.warn("--logger-log-level: no logger is called {} yet, only {}", name, known);
    }

    // In one line, whatever is quoted in it.
    int complain(std::string what) const {
        const auto is_control = [](char letter) { return letter >= 0 && letter < ' '; };
        std::replace_if(what.begin(), what.end(), is_control, ' ');
        std::fprintf(stderr, "%s: %s\n", config.name.c_str(), what.c_str());
        return 1;
    }

    CLI::Option* keep(CLI::Option* option) {
        own.push_back(option->group(own_group));
        return option;
    }

    // What read(option, text) makes of a text, or throws.
    template <typename T>
    void add_text(const std::string& name, T& value, const std::string& help, const char* type,
                  const std::string& initial,
                  T (*read)(const std::string& option, const std::string& text)) {
        const auto take = [option = name.substr(0, name.find(',')), &value,
                           read](const std::string& text) { value = read(option, text); };
        keep(parser.add_option_function<std::string>(name, take, help)
                 ->type_name(type)
                 ->default_str(initial));
    }

    template <typename T>
    void add_number(const std::string& name, T& value, const std::string& help) {
        add_text(name, value, help, std::is_integral_v<T> ? "N" : "NUMBER",
                 CLI::detail::to_string(value), internal::read_number<T>);
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
    _implementation->add_number(name, value, help);
    return *this;
}

app_template& app_template::add_option(const std::string& name, unsigned& value,
                                       const std::string& help) {
    _implementation->add_number(name, value, help);
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::uint16_t& value,
                                       const std::string& help) {
    _implementation->add_number(name, value, help);
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::uint64_t& value,
                                       const std::string& help) {
    _implementation->add_number(name, value, help);
    return *this;
}

app_template& app_template::add_option(const std::string& name, double& value,
                                       const std::string& help) {
    _implementation->add_number(name, value, help);
    return *this;
}

app_template& app_template::add_option(const std::string& name, std::chrono::milliseconds& value,
                                       const std::string& help) {
    _implementation->add_text(name, value, help, "TIME", internal::format_time(value),
                              internal::read_time);
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
