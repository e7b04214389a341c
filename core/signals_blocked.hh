// Keeps signals from threads that a program does not know.
#pragma once

#include <signal.h>

#include <initializer_list>

namespace miniss::internal {

// Threads that are started while it lives take no signals: they go to the thread that the program
// knows. Left alone are those that tell of the thread's own faults, and the profiler's.
class signals_blocked {
    sigset_t _previous;

public:
    signals_blocked() {
        sigset_t all;
        sigfillset(&all);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) {
            sigdelset(&all, own);
        }
        pthread_sigmask(SIG_SETMASK, &all, &_previous);
    }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;
    ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &_previous, nullptr); }
};

}  // namespace miniss::internal
