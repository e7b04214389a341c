// CPU lists as Linux writes them.
#include <miniss/smp/cpu_list.hh>

#include <stdexcept>
#include <string>
#include <vector>

#include <miniss/tests/catch.hh>

namespace {

using cpus = std::vector<unsigned>;

// What parse_cpu_list() says about a bad list, or "" if it takes it.
std::string complaint_about(const std::string& text) {
    try {
        miniss::parse_cpu_list(text);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a CPU list is numbers and inclusive ranges", "[cpu_list]") {
    CHECK(miniss::parse_cpu_list("0") == cpus{0});
    CHECK(miniss::parse_cpu_list("7,9") == cpus{7, 9});
    CHECK(miniss::parse_cpu_list("0,2-5") == cpus{0, 2, 3, 4, 5});
    CHECK(miniss::parse_cpu_list("3-3") == cpus{3});
    CHECK(miniss::parse_cpu_list("65535") == cpus{65535});
}

TEST_CASE("a CPU list comes out sorted, and each CPU once", "[cpu_list]") {
    CHECK(miniss::parse_cpu_list("5,1,5,0-2") == cpus{0, 1, 2, 5});
    CHECK(miniss::parse_cpu_list("2-4,3-6,4") == cpus{2, 3, 4, 5, 6});
}

TEST_CASE("a CPU list that says anything else is refused", "[cpu_list]") {
    const std::string text = GENERATE("a", "1,,2", ",", "1,", ",1", "-", "1-", "-1", "1-2-3", " 1",
                                      "1 ", "1, 2", "+1", "0x1", "1.5", "1\n", "1;2", "0-7:2");
    CHECK(complaint_about(text) ==
          "bad CPU list \"" + text + "\": expected numbers and ranges, such as 0,2-5");
}

TEST_CASE("a refused CPU list is told what is wrong with it", "[cpu_list]") {
    CHECK(complaint_about("") == "bad CPU list \"\": it names no CPU");
    CHECK(complaint_about("0,3-1") == "bad CPU list \"0,3-1\": the range 3-1 runs backwards");
    CHECK(complaint_about("0-65536") ==
          "bad CPU list \"0-65536\": 65536 is above 65535, the highest CPU number");
    CHECK(complaint_about("99999999999999999999") ==
          "bad CPU list \"99999999999999999999\": 99999999999999999999 is above 65535, the highest "
          "CPU number");
}

TEST_CASE("CPUs are written as the shortest list", "[cpu_list]") {
    CHECK(miniss::format_cpu_list({}).empty());
    CHECK(miniss::format_cpu_list({4}) == "4");
    CHECK(miniss::format_cpu_list({0, 1}) == "0-1");
    CHECK(miniss::format_cpu_list({0, 2, 3, 4, 5, 9}) == "0,2-5,9");
}

TEST_CASE("a CPU list that was written reads back the same", "[cpu_list]") {
    for (unsigned bits = 1; bits < 1U << 8; ++bits) {
        cpus some;
        for (unsigned cpu = 0; cpu < 8; ++cpu) {
            if ((bits >> cpu & 1U) != 0) {
                some.push_back(cpu);
            }
        }
        CHECK(miniss::parse_cpu_list(miniss::format_cpu_list(some)) == some);
    }
}
