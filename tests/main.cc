// The main() of every test executable: runs its test cases, then asks for failures nobody read.
#define CATCH_CONFIG_RUNNER  // For Catch2 2.13, which brings its implementation in its header.
#include <miniss/tests/catch.hh>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include <miniss/core/free_lists.hh>
#include <miniss/core/report.hh>
#include <miniss/core/uring_backend.hh>
#include <miniss/tests/sim/sim_world.hh>

namespace {

// What Meson makes of exit codes: 77 is "skipped", any other but 0 is "failed".
constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_ignored_failure = 3;
constexpr int exit_skipped = 77;

// Whether the tests are to run on io_uring, but the kernel has none or does not let us.
bool lacks_wanted_backend() {
    const char* wanted = std::getenv("MINISS_TEST_BACKEND");
    if (wanted == nullptr || std::string_view(wanted) != "io_uring") {
        return false;
    }
    try {
        miniss::make_uring_backend();
        return false;
    } catch (const std::system_error& error) {
        std::fprintf(stderr, "skipped: %s\n", error.what());
        return true;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (lacks_wanted_backend()) {
        return exit_skipped;
    }
    miniss::sim::sim_world::provokes = std::getenv("MINISS_TEST_PROVOKES") != nullptr;
    // Every task shows as an allocation, to those who count them and to sanitizers.
    miniss::internal::free_lists::blocks_max = 0;
    // Catch2 answers with a number of failures, which might be 77.
    const bool passed = Catch::Session().run(argc, argv) == 0;
    if (const unsigned long ignored = miniss::ignored_failure_count(); ignored != 0) {
        std::fprintf(stderr, "%lu failed futures were dropped unread, see above\n", ignored);
        return exit_ignored_failure;
    }
    return passed ? exit_ok : exit_failed;
}
