// How much CPU time the control groups of this process grant it.
#pragma once

#include <optional>
#include <string>

namespace miniss {

// The number of CPUs whose full time this process may use (1.5: one and a half), or nothing when
// no group limits it. A group is bound by its ancestors too, so all of them are looked at, up to
// the mount point, in the unified hierarchy (cgroup v2) and in that of the "cpu" controller (v1);
// the tightest limit counts. `root` is where proc and the mount points are looked for.
//
// Errors: none. What cannot be read or understood limits nothing: a broken or hidden control
//         group tree must not keep a program from starting.
// Cost:   a handful of small files; meant for start-up.
std::optional<double> read_cpu_quota(const std::string& root = "/");

}  // namespace miniss
