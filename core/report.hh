// What becomes of an error that nobody reads: it is printed once and counted.
#pragma once

#include <exception>

#include <miniss/core/code_location.hh>

namespace miniss {

// Number of failures of this process that were reported because nobody read them.
// Shard: any thread.
unsigned long ignored_failure_count() noexcept;

namespace internal {

// Logs "ignored failed future: TYPE: TEXT (from FILE:LINE)" and counts it: where the error came
// from, and where the task comes from that is running, as far as they are known. Any thread.
void report_ignored_failure(const std::exception_ptr& error, code_location origin = {}) noexcept;

// The same for work that was handed to run_in_background(): names the work.
void report_background_failure(const char* name, const std::exception_ptr& error,
                               code_location origin = {}) noexcept;

// Says what failed, and where, and ends the process: at once, as no log is written any more.
[[noreturn]] void terminate_for(const std::exception_ptr& error, code_location origin) noexcept;

// For tests that provoke failures: takes `count` of them off ignored_failure_count().
void forgive_ignored_failures(unsigned long count) noexcept;

}  // namespace internal
}  // namespace miniss
