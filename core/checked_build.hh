// Whether this build leaves to chance what no program may rely on.
#pragma once

namespace miniss::internal {

// With -Dchecked=true the header of this name in tests/checked takes the place of this one.
inline constexpr bool is_checked_build = false;

}  // namespace miniss::internal
