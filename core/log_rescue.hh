// Keeps a process that ends in the middle from taking the last lines of its log with it.
#pragma once

#include <cstddef>
#include <memory>

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

// While it lives, its thread has memory for that even when its own stack is full. A thread that has
// such memory already (sigaltstack(2)) keeps that.
// Lifetime: made and destroyed on its thread.
class rescue_stack {
    std::unique_ptr<std::byte[]> _memory;

public:
    rescue_stack() noexcept;
    ~rescue_stack();
    rescue_stack(const rescue_stack&) = delete;
    rescue_stack& operator=(const rescue_stack&) = delete;
};

}  // namespace internal
}  // namespace miniss
