// Keeps a process that ends in the middle from taking the last lines of its log with it.
#pragma once

namespace miniss {

class log_writer;

namespace internal {

// From now on exit(), and the signals that a process brings upon itself, wait for up to a second
// until the writer has written everything; null: no longer. A signal that the program has a handler
// for is left to that.
//
// Lifetime: the writer lives until this is called with another one.
// Shard:    any thread, one at a time.
void rescue_log(const log_writer* of) noexcept;

}  // namespace internal
}  // namespace miniss
