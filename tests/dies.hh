// For tests of assertions: what a piece of code says when it dies.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

namespace miniss {

// Runs func() in a process of its own. True if it aborts there and `words` are part of what it
// has printed to stderr.
template <typename Func>
bool dies_saying(const std::string& words, Func func) {
    int ends[2];
    if (::pipe(ends) < 0) {
        return false;
    }
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(SIGABRT, SIG_DFL);  // Catch2 has its own handler.
        ::dup2(ends[1], STDERR_FILENO);
        func();
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string said;
    char piece[512];
    for (ssize_t count = 1; count > 0;) {
        count = ::read(ends[0], piece, sizeof piece);
        said.append(piece, static_cast<std::size_t>(count > 0 ? count : 0));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
        said.find(words) != std::string::npos) {
        return true;
    }
    std::fprintf(stderr, "expected to die saying '%s', said: %s\n", words.c_str(), said.c_str());
    return false;
}

}  // namespace miniss
