// Counts what the benchmarks allocate.
#pragma once

namespace miniss::bench {

// How often operator new was called so far, on any thread. What is made of malloc directly, like
// an exception, is not among it.
unsigned long allocation_count() noexcept;

}  // namespace miniss::bench
