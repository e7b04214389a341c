// For tests of what is printed to stderr.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace miniss {

// While it lives, stderr goes into memory.
class captured_stderr {
    int _memory = ::memfd_create("stderr", 0);
    int _terminal;
    off_t _read_bytes = 0;

public:
    captured_stderr() : _terminal(::dup(STDERR_FILENO)) { ::dup2(_memory, STDERR_FILENO); }
    captured_stderr(const captured_stderr&) = delete;
    captured_stderr& operator=(const captured_stderr&) = delete;
    ~captured_stderr() {
        ::dup2(_terminal, STDERR_FILENO);
        ::close(_terminal);
        ::close(_memory);
    }

    // What was printed since it was last asked.
    std::string take() {
        std::string text;
        char piece[512];
        for (ssize_t count = 1; count > 0;) {
            count = ::pread(_memory, piece, sizeof piece, _read_bytes);
            text.append(piece, static_cast<std::size_t>(count > 0 ? count : 0));
            _read_bytes += count > 0 ? count : 0;
        }
        return text;
    }
};

}  // namespace miniss
