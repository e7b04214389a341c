// Assertions that stay on in every build type: a broken invariant must stop, not limp.
#pragma once

namespace miniss::internal {

// Prints the place and the condition to stderr and aborts. Any thread.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace miniss::internal

// Use for bugs of ours or of the caller; errors of the outside world are failed futures.
#define MINISS_ASSERT(condition) \
    ((condition) ? void(0) : ::miniss::internal::assertion_failed(#condition, __FILE__, __LINE__))
