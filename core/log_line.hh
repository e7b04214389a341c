// Makes the text of a log line.
#pragma once

#include <string>
#include <string_view>

#include <miniss/core/log_argument.hh>

namespace miniss::internal {

// Longer lines are cut.
inline constexpr std::size_t log_line_bytes_max = 16 * 1024;

// With its end of line; other control bytes appear as \xHH. Throws std::bad_alloc only: if the
// arguments do not fit the format, or making a text of one throws, the line tells of that.
std::string make_log_line(std::string_view level, std::string_view name, std::string_view format,
                          const log_argument* arguments, std::size_t count);

}  // namespace miniss::internal
