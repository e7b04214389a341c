// Waiting for a signal of the operating system.
#pragma once

#include <initializer_list>

#include <miniss/core/future.hh>

namespace miniss {

// Ready, with its number, once the process has got one of the signals. From that moment on all of
// them do again what they did before, so that a second Ctrl-C ends a process at once.
//
// Errors: std::system_error EMFILE, ENFILE; ECANCELED if the shard stops before.
// Shard:  any, but only one call at a time in the whole process.
future<int> wait_for_signal(std::initializer_list<int> signals);

}  // namespace miniss
