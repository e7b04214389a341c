// The CPU quota of control groups, read from invented proc and cgroup trees.
#include <miniss/smp/cpu_quota.hh>

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include <miniss/tests/catch.hh>

namespace {

// A directory that plays the root of the file system.
class fake_root {
    std::filesystem::path _path;

public:
    fake_root() {
        std::string name = (std::filesystem::temp_directory_path() / "miniss-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("cannot create " + name);
        }
        _path = name;
    }
    fake_root(const fake_root&) = delete;
    fake_root& operator=(const fake_root&) = delete;
    ~fake_root() { std::filesystem::remove_all(_path); }

    void write(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = _path / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }

    std::optional<double> quota() const { return miniss::read_cpu_quota(_path.string()); }
};

const std::string v2_mount =
    "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const std::string v1_mount =
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n";
const std::string other_mounts =
    "23 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

// A process in /a/b of the unified hierarchy.
struct v2_root : fake_root {
    v2_root() {
        write("proc/self/mountinfo", other_mounts + v2_mount);
        write("proc/self/cgroup", "0::/a/b\n");
    }
};

// A process in /a/b of the old hierarchy of the cpu controller.
struct v1_root : fake_root {
    v1_root() {
        write("proc/self/mountinfo", other_mounts + v1_mount);
        write("proc/self/cgroup", "5:memory:/m\n4:cpuacct,cpu:/a/b\n1:name=systemd:/s\n0::/\n");
    }
    void limit(const std::string& group, const std::string& quota,
               const std::string& period) const {
        const std::string directory = "sys/fs/cgroup/cpu,cpuacct" + group;
        write(directory + "/cpu.cfs_quota_us", quota + "\n");
        write(directory + "/cpu.cfs_period_us", period + "\n");
    }
};

}  // namespace

TEST_CASE("cgroup v2: the quota is cpu.max of the process's group", "[cpu_quota]") {
    v2_root root;
    root.write("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    CHECK(root.quota() == 1.5);
}

TEST_CASE("cgroup v2: an ancestor with less limits its descendants", "[cpu_quota]") {
    v2_root root;
    root.write("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    CHECK(root.quota() == 4.0);
    root.write("sys/fs/cgroup/a/cpu.max", "20000 10000\n");
    CHECK(root.quota() == 2.0);
    root.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
    CHECK(root.quota() == 0.5);
}

TEST_CASE("cgroup v2: max is no quota", "[cpu_quota]") {
    v2_root root;
    root.write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    CHECK(root.quota() == std::nullopt);
    root.write("sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    CHECK(root.quota() == 3.0);
}

TEST_CASE("cgroup v1: the quota is cfs_quota_us over cfs_period_us", "[cpu_quota]") {
    v1_root root;
    root.limit("/a/b", "250000", "100000");
    CHECK(root.quota() == 2.5);
}

TEST_CASE("cgroup v1: an ancestor with less limits its descendants", "[cpu_quota]") {
    v1_root root;
    root.limit("/a/b", "-1", "100000");
    CHECK(root.quota() == std::nullopt);
    root.limit("/a", "800000", "100000");
    CHECK(root.quota() == 8.0);
    root.limit("", "60000", "10000");
    CHECK(root.quota() == 6.0);
}

TEST_CASE("where both cgroup versions are mounted, the tighter quota counts", "[cpu_quota]") {
    v1_root root;
    root.write("proc/self/mountinfo",
               v1_mount + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    root.write("proc/self/cgroup", "4:cpu,cpuacct:/a/b\n0::/c\n");
    root.limit("/a/b", "300000", "100000");
    CHECK(root.quota() == 3.0);
    root.write("sys/fs/cgroup/unified/c/cpu.max", "200000 100000\n");
    CHECK(root.quota() == 2.0);
    root.limit("/a", "100000", "100000");
    CHECK(root.quota() == 1.0);
    root.write("sys/fs/cgroup/cpu,cpuacct/c/cpu.max", "50000 100000\n");  // Not v1's file.
    CHECK(root.quota() == 1.0);
}

TEST_CASE("a container's group is the mount point when both have the same name", "[cpu_quota]") {
    fake_root root;
    root.write("proc/self/mountinfo",
               "32 31 0:29 /docker/f00 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
    root.write("proc/self/cgroup", "4:cpu:/docker/f00\n");
    root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(root.quota() == 0.5);
    root.write("proc/self/cgroup", "4:cpu:/docker/f00/inner\n");
    root.write("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "25000\n");
    root.write("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    CHECK(root.quota() == 0.25);
}

TEST_CASE("the quota of a group that the process is not in does not count", "[cpu_quota]") {
    v2_root root;
    root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
    const std::string group = GENERATE("0::/../a\n", "0::/a/../b\n", "3:cpu:/\n");
    root.write("proc/self/cgroup", group);
    CHECK(root.quota() == std::nullopt);
    root.write("proc/self/cgroup", "0::/ab\n");
    root.write("proc/self/mountinfo", "30 23 0:27 /a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    CHECK(root.quota() == std::nullopt);
}

TEST_CASE("colons in group names and blanks in mount points are understood", "[cpu_quota]") {
    fake_root root;
    root.write("proc/self/mountinfo", R"(30 23 0:27 / /c\040g\134 rw - cgroup2 none rw)");
    root.write("proc/self/cgroup", "0::/a:b\n");
    root.write("c g\\/a:b/cpu.max", "300000 100000\n");
    CHECK(root.quota() == 3.0);
}

TEST_CASE("a quota that makes no sense limits nothing", "[cpu_quota]") {
    const std::string text =
        GENERATE("", "\n", "100000", "100000 ", "100000 0", "0 100000", "-5 100000", "100000 -5",
                 "1e5 100000", "100000 100000 1", "x y", "99999999999999999999 100000", "1.5 1");
    v2_root root;
    root.write("sys/fs/cgroup/a/b/cpu.max", text);
    CHECK(root.quota() == std::nullopt);
    root.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    CHECK(root.quota() == 2.0);
}

TEST_CASE("proc files that cannot be read or understood limit nothing", "[cpu_quota]") {
    fake_root root;
    CHECK(root.quota() == std::nullopt);
    root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
    const std::string line =
        GENERATE("", "\n", "0", "0:", "::", "- - - -", "30 23", "30 23 0:27 / - cgroup2",
                 "30 23 0:27 / /sys/fs/cgroup rw - cgroup2", "- cgroup2 none rw",
                 "30 23 0:27 / /sys/fs/cgroup - cgroup2 none rw");
    root.write("proc/self/cgroup", line);
    root.write("proc/self/mountinfo", v2_mount);
    CHECK(root.quota() == std::nullopt);
    root.write("proc/self/cgroup", "0::/\n");
    CHECK(root.quota() == 1.0);
    root.write("proc/self/mountinfo", line);
    CHECK(root.quota() == std::nullopt);
}

TEST_CASE("the real system has no quota, or a positive one", "[cpu_quota]") {
    CHECK(miniss::read_cpu_quota().value_or(1) > 0);
}
