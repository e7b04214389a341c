// For tests of what becomes of errors that nobody reads.
#pragma once

#include <miniss/core/report.hh>
#include <miniss/tests/catch.hh>

namespace miniss {

// Checks that exactly `expected` failures are reported as ignored while it lives, and takes them
// off the total, which otherwise fails the whole run.
class expect_ignored_failures {
    unsigned long _expected;
    unsigned long _before = ignored_failure_count();

public:
    explicit expect_ignored_failures(unsigned long expected) noexcept : _expected(expected) {}
    expect_ignored_failures(const expect_ignored_failures&) = delete;
    expect_ignored_failures& operator=(const expect_ignored_failures&) = delete;
    ~expect_ignored_failures() {
        const unsigned long reported = so_far();
        CHECK(reported == _expected);
        internal::forgive_ignored_failures(reported);
    }

    unsigned long so_far() const noexcept { return ignored_failure_count() - _before; }
};

}  // namespace miniss
