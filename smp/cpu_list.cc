// CPU lists the way Linux writes them: parser and printer.
#include <miniss/smp/cpu_list.hh>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include <miniss/core/assert.hh>

namespace miniss {

namespace {

[[noreturn]] void refuse(std::string_view list, const std::string& why) {
    throw std::invalid_argument("bad CPU list \"" + std::string(list) + "\": " + why);
}

unsigned parse_cpu(std::string_view digits, std::string_view list) {
    unsigned cpu = 0;
    const char* end = digits.data() + digits.size();
    auto [stop, error] = std::from_chars(digits.data(), end, cpu);
    if (error == std::errc::invalid_argument || stop != end) {
        refuse(list, "expected numbers and ranges, such as 0,2-5");
    }
    if (error == std::errc::result_out_of_range || cpu > cpu_index_max) {
        refuse(list, std::string(digits) + " is above " + std::to_string(cpu_index_max) +
                         ", the highest CPU number");
    }
    return cpu;
}

// One bit for each CPU there can be: sorts, merges and bounds the list whatever it says.
using cpu_bits = std::vector<bool>;

void add_range(cpu_bits& named, std::string_view range, std::string_view list) {
    const std::size_t dash = range.find('-');
    const unsigned first = parse_cpu(range.substr(0, dash), list);
    const unsigned last =
        dash == std::string_view::npos ? first : parse_cpu(range.substr(dash + 1), list);
    if (last < first) {
        refuse(list, "the range " + std::string(range) + " runs backwards");
    }
    std::fill(named.begin() + first, named.begin() + last + 1, true);
}

}  // namespace

std::vector<unsigned> parse_cpu_list(std::string_view text) {
    if (text.empty()) {
        refuse(text, "it names no CPU");
    }
    cpu_bits named(cpu_index_max + 1);
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t comma = std::min(text.find(',', begin), text.size());
        add_range(named, text.substr(begin, comma - begin), text);
        begin = comma + 1;
    }
    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu <= cpu_index_max; ++cpu) {
        if (named[cpu]) {
            cpus.push_back(cpu);
        }
    }
    return cpus;
}

std::string format_cpu_list(const std::vector<unsigned>& cpus) {
    std::string text;
    for (std::size_t i = 0; i < cpus.size();) {
        std::size_t last = i;
        while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) {
            ++last;
        }
        MINISS_ASSERT(last + 1 == cpus.size() || cpus[last + 1] > cpus[last]);
        if (!text.empty()) {
            text += ',';
        }
        text += std::to_string(cpus[i]);
        if (last > i) {
            text += '-';
            text += std::to_string(cpus[last]);
        }
        i = last + 1;
    }
    return text;
}

}  // namespace miniss
