// How much CPU time control groups grant: reads proc and the cgroup file systems.
//
// /proc/self/cgroup names our group in each hierarchy, /proc/self/mountinfo tells where that
// hierarchy is mounted and which of its groups is the mount's top: inside a container both may
// name the same group, and then it is the mount point itself.
#include <miniss/smp/cpu_quota.hh>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace miniss {

namespace {

using fields = std::vector<std::string>;

fields split(std::string_view text, char separator) {
    fields parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

bool contains(const fields& parts, std::string_view wanted) {
    return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

// One line of /proc/self/cgroup: "4:cpu,cpuacct:/a/b" (v1) or "0::/a/b" (v2).
struct membership {
    bool is_v2;
    std::string group;
};

// One line of /proc/self/mountinfo: the top of a hierarchy, or of a part of one.
struct group_mount {
    bool is_v2;
    std::string top_group;
    std::string directory;
};

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::optional<long long> parse_number(std::string_view text) {
    long long number = 0;
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return number;
}

// An unlimited group says "max" in v2 and -1 in v1: neither is a positive number.
std::optional<double> ratio(std::string_view quota, std::string_view period) {
    const std::optional<long long> quota_us = parse_number(quota);
    const std::optional<long long> period_us = parse_number(period);
    if (!quota_us || !period_us || *quota_us <= 0 || *period_us <= 0) {
        return std::nullopt;
    }
    return static_cast<double>(*quota_us) / static_cast<double>(*period_us);
}

std::optional<double> limit_of_group(const std::string& directory, bool is_v2) {
    if (!is_v2) {
        return ratio(first_line(directory + "/cpu.cfs_quota_us"),
                     first_line(directory + "/cpu.cfs_period_us"));
    }
    const fields parts = split(first_line(directory + "/cpu.max"), ' ');
    return parts.size() == 2 ? ratio(parts[0], parts[1]) : std::nullopt;
}

std::optional<membership> parse_membership(const std::string& line) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(":/", first + 1);
    if (first == std::string::npos || second == std::string::npos) {
        return std::nullopt;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !contains(split(controllers, ','), "cpu")) {
        return std::nullopt;
    }
    return membership{controllers.empty(), line.substr(second + 1)};
}

// mountinfo writes blank, tab, newline and backslash as \ and three octal digits.
std::string unescape(std::string_view text) {
    std::string plain;
    while (!text.empty()) {
        unsigned code = 0;
        if (text[0] == '\\' && text.size() >= 4 &&
            std::from_chars(&text[1], &text[1] + 3, code, 8).ptr == &text[1] + 3) {
            plain += static_cast<char>(code);
            text.remove_prefix(4);
        } else {
            plain += text[0];
            text.remove_prefix(1);
        }
    }
    return plain;
}

// "31 23 0:28 /top /directory rw shared:1 - cgroup cgroup rw,cpu": as many optional fields as
// the kernel likes stand before the dash.
std::optional<group_mount> parse_mount(const std::string& line) {
    const fields parts = split(line, ' ');
    const auto dash = std::find(parts.begin(), parts.end(), "-");
    if (dash - parts.begin() < 6 || parts.end() - dash < 4) {
        return std::nullopt;
    }
    const std::string& type = dash[1];
    const bool is_cpu_v1 = type == "cgroup" && contains(split(dash[3], ','), "cpu");
    if (type != "cgroup2" && !is_cpu_v1) {
        return std::nullopt;
    }
    return group_mount{type == "cgroup2", unescape(parts[3]), unescape(parts[4])};
}

template <typename Parser>
auto parse_lines(const std::string& path, Parser parse) {
    std::vector<typename decltype(parse(path))::value_type> parsed;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (auto entry = parse(line)) {
            parsed.push_back(std::move(*entry));
        }
    }
    return parsed;
}

// The way from the mount point down to the group: "" or "/a/b". Nothing if the group is not under
// this mount, which is also so when the kernel writes it with "..", from within a namespace.
std::optional<std::string> path_below(const std::string& top_group, const std::string& group) {
    const std::string top = top_group == "/" ? "" : top_group;
    if (!group.starts_with(top + "/") && group != top) {
        return std::nullopt;
    }
    const std::string below = group.substr(top.size());
    if (contains(split(below, '/'), "..")) {
        return std::nullopt;
    }
    return below == "/" ? "" : below;
}

std::optional<double> tighter(std::optional<double> a, std::optional<double> b) {
    return a && b ? std::min(*a, *b) : (a ? a : b);
}

std::optional<double> tightest_on_the_way_up(const std::string& mount_point, std::string group,
                                             bool is_v2) {
    std::optional<double> limit = limit_of_group(mount_point + group, is_v2);
    while (!group.empty()) {
        group.erase(group.rfind('/'));
        limit = tighter(limit, limit_of_group(mount_point + group, is_v2));
    }
    return limit;
}

}  // namespace

std::optional<double> read_cpu_quota(const std::string& root) {
    const std::string prefix = root.ends_with('/') ? root.substr(0, root.size() - 1) : root;
    const auto mounts = parse_lines(prefix + "/proc/self/mountinfo", parse_mount);
    std::optional<double> limit;
    for (const membership& mine : parse_lines(prefix + "/proc/self/cgroup", parse_membership)) {
        for (const group_mount& mount : mounts) {
            const auto below = path_below(mount.top_group, mine.group);
            if (mount.is_v2 == mine.is_v2 && below) {
                limit = tighter(
                    limit, tightest_on_the_way_up(prefix + mount.directory, *below, mine.is_v2));
            }
        }
    }
    return limit;
}

}  // namespace miniss
