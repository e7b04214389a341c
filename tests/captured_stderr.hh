// For tests of what is printed to stderr.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

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

// While it lives, stderr is a pipe.
class piped_stderr {
    int _ends[2] = {-1, -1};
    int _terminal = ::dup(STDERR_FILENO);

public:
    piped_stderr() {
        (void)!::pipe2(_ends, O_CLOEXEC);
        ::dup2(_ends[1], STDERR_FILENO);
        ::close(_ends[1]);
    }
    piped_stderr(const piped_stderr&) = delete;
    piped_stderr& operator=(const piped_stderr&) = delete;
    ~piped_stderr() {
        close_writing_end();
        ::close(_ends[0]);
    }

    void close_writing_end() {
        if (_terminal >= 0) {
            ::dup2(_terminal, STDERR_FILENO);
            ::close(std::exchange(_terminal, -1));
        }
    }
    // Until it takes nothing more.
    void fill() {
        ::fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK);
        while (::write(STDERR_FILENO, "........", 8) > 0) {}
        ::fcntl(STDERR_FILENO, F_SETFL, O_WRONLY);
    }
    // What comes until the writing end is closed.
    std::string read_all() const {
        std::string all;
        char piece[4096];
        for (ssize_t count = 1; count > 0;) {
            count = ::read(_ends[0], piece, sizeof piece);
            all.append(piece, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        }
        return all;
    }
};

}  // namespace miniss
