// Takes the place of core/checked_build.hh with -Dchecked=true.
#pragma once

namespace miniss::internal {

inline constexpr bool is_checked_build = true;

}  // namespace miniss::internal
