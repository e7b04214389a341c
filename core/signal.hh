// Signals of the operating system, as futures and callbacks.
#pragma once

#include <initializer_list>

#include <miniss/core/future.hh>
#include <miniss/core/noncopyable_function.hh>

namespace miniss {

namespace signal {

// Ready, with its number, once the process has got one of the signals. From that moment on all of
// them do again what they did before, so that a second Ctrl-C ends a process at once.
//
// Errors: std::system_error EBUSY if one of them is waited for or handled already; EMFILE, ENFILE;
//         EINVAL for what is no signal that can be caught; ECANCELED if the shard stops before,
//         unless the future was thrown away.
// Shard:  any.
future<int> wait_for(std::initializer_list<int> signals);

}  // namespace signal

// Calls handler() each time the process has got the signal, in a turn of the shard and not within
// the system's signal handler, so it may do anything. It stays until the shard stops; then the
// signal does again what it did before. What handler() throws is reported as an ignored failure.
//
// Signals that come while the handler of an earlier one has not run yet are kept, up to 64 KiB of
// them.
// Errors: throws std::system_error as above.
// Shard:  0.
void handle_signal(int number, noncopyable_function<void()> handler);

}  // namespace miniss
