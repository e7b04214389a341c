// Finds out how many rounds take long enough, measures, and prints a line for each benchmark.
#include <miniss/bench/bench.hh>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <miniss/bench/allocations.hh>
#include <miniss/core/free_lists.hh>
#include <miniss/core/report.hh>

namespace miniss::bench {

namespace {

using namespace std::chrono_literals;

// Long enough for the clock, short enough to fall between two disturbances now and then.
constexpr std::chrono::nanoseconds sample_time = 20ms;
constexpr std::size_t sample_count = 21;
// As a test, benchmarks do this many operations, or one round if that has more.
constexpr std::uint64_t smoke_operations = 16;

constexpr const char* usage = R"(usage: %s [OPTION...]
  --filter TEXT  only benchmarks with TEXT in their name, or the one that is called TEXT
  --rounds N     one sample of N rounds each, instead of as many as take 20 ms
  --csv          comma-separated values
  --plain-malloc no free lists for the memory of tasks
  --smoke        a few rounds of each, no figures; as a test
  --list         only names, and how many operations a round has
  --help         this
)";

enum class mode { measure, smoke, list, help };

struct options {
    mode what = mode::measure;
    bool csv = false;
    std::string_view filter;
    std::optional<std::uint64_t> rounds;
};

struct figures {
    double median_ns;
    double deviation_ns;  // The median of the distances from the median.
    double least_ns;
    double allocations;
    std::uint64_t checksum;
};

std::uint64_t parse_count(std::string_view text) {
    std::uint64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc() || stop != end || count == 0) {
        throw std::runtime_error("not a number of rounds: " + std::string(text));
    }
    return count;
}

options parse(int argc, const char* const* argv) {
    options parsed;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const bool has_value = option == "--filter" || option == "--rounds";
        if (has_value && ++i == argc) {
            throw std::runtime_error(std::string(option) + " needs a value");
        }
        if (option == "--filter") {
            parsed.filter = argv[i];
        } else if (option == "--rounds") {
            parsed.rounds = parse_count(argv[i]);
        } else if (option == "--csv") {
            parsed.csv = true;
        } else if (option == "--plain-malloc") {
            internal::free_lists::blocks_max = 0;
        } else if (option == "--smoke") {
            parsed.what = mode::smoke;
        } else if (option == "--list") {
            parsed.what = mode::list;
        } else if (option == "--help" || option == "-h") {
            parsed.what = mode::help;
        } else {
            throw std::runtime_error("unknown option: " + std::string(option));
        }
    }
    return parsed;
}

std::vector<benchmark> pick(std::initializer_list<benchmark> all, std::string_view filter) {
    std::vector<benchmark> picked;
    for (const benchmark& each : all) {
        if (each.name == filter) {
            return {each};
        }
        if (std::string_view(each.name).find(filter) != std::string_view::npos) {
            picked.push_back(each);
        }
    }
    if (picked.empty()) {
        throw std::runtime_error("no benchmark has this in its name: " + std::string(filter));
    }
    return picked;
}

// A benchmark that does not do what it claims to do is an error.
trial run_once(const benchmark& what, std::uint64_t rounds) {
    trial each(rounds);
    each.start();
    const std::uint64_t checksum = what.body(each);
    each.stop();
    if (checksum != rounds * what.operations_per_round) {
        throw std::runtime_error(std::string(what.name) + ": " + std::to_string(checksum) +
                                 " operations came out of " + std::to_string(rounds) + " rounds");
    }
    if (ignored_failure_count() != 0) {
        throw std::runtime_error(std::string(what.name) + ": a failed future was ignored");
    }
    return each;
}

std::uint64_t calibrate(const benchmark& what) {
    std::uint64_t rounds = 1;
    auto elapsed = run_once(what, rounds).elapsed();
    while (elapsed < sample_time / 10) {
        rounds *= 4;
        elapsed = run_once(what, rounds).elapsed();
    }
    const double scale =
        static_cast<double>(sample_time.count()) / static_cast<double>(elapsed.count());
    return std::max<std::uint64_t>(1,
                                   static_cast<std::uint64_t>(static_cast<double>(rounds) * scale));
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

figures measure(const benchmark& what, std::optional<std::uint64_t> fixed_rounds) {
    const std::uint64_t rounds = fixed_rounds ? *fixed_rounds : calibrate(what);
    const std::uint64_t operations = rounds * what.operations_per_round;
    std::vector<double> times;
    unsigned long allocation_count = 0;
    do {
        const trial each = run_once(what, rounds);
        times.push_back(static_cast<double>(each.elapsed().count()) /
                        static_cast<double>(operations));
        allocation_count = each.allocation_count();
    } while (!fixed_rounds && times.size() < sample_count);
    const double middle = median(times);
    std::vector<double> distances;
    for (const double time : times) {
        distances.push_back(std::max(time - middle, middle - time));
    }
    return {middle, median(distances), *std::min_element(times.begin(), times.end()),
            static_cast<double>(allocation_count) / static_cast<double>(operations), operations};
}

void measure_all(const std::vector<benchmark>& picked, const options& wanted) {
    std::printf(wanted.csv ? "%s,%s,%s,%s,%s,%s\n" : "%-28s %10s %8s %10s %8s %12s\n", "name",
                "ns/op", "MAD", "least", "allocs", "checksum");
    for (const benchmark& each : picked) {
        const figures found = measure(each, wanted.rounds);
        std::printf(wanted.csv ? "%s,%.3f,%.3f,%.3f,%.3f,%llu\n"
                               : "%-28s %10.2f %8.2f %10.2f %8.2f %12llu\n",
                    each.name, found.median_ns, found.deviation_ns, found.least_ns,
                    found.allocations, static_cast<unsigned long long>(found.checksum));
        std::fflush(stdout);
    }
}

void run_as_wanted(const options& wanted, std::initializer_list<benchmark> all) {
    const auto picked = pick(all, wanted.filter);
    switch (wanted.what) {
    case mode::measure:
        measure_all(picked, wanted);
        return;
    case mode::smoke:
        for (const benchmark& each : picked) {
            const std::uint64_t few =
                std::max<std::uint64_t>(1, smoke_operations / each.operations_per_round);
            run_once(each, wanted.rounds.value_or(few));
        }
        std::printf("%zu benchmarks: ok\n", picked.size());
        return;
    case mode::list:
        for (const benchmark& each : picked) {
            std::printf("%s %llu\n", each.name,
                        static_cast<unsigned long long>(each.operations_per_round));
        }
        return;
    case mode::help:
        return;
    }
}

}  // namespace

void trial::start() noexcept {
    _running = true;
    _allocations_before = bench::allocation_count();
    _start = std::chrono::steady_clock::now();
}

void trial::stop() noexcept {
    if (_running) {
        _elapsed = std::chrono::steady_clock::now() - _start;
        _allocation_count = bench::allocation_count() - _allocations_before;
        _running = false;
    }
}

int run_benchmarks(int argc, const char* const* argv, std::initializer_list<benchmark> all) {
    try {
        const options wanted = parse(argc, argv);
        if (wanted.what == mode::help) {
            std::printf(usage, argv[0]);
        } else {
            run_as_wanted(wanted, all);
        }
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
}

}  // namespace miniss::bench
