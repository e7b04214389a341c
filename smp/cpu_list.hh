// CPU lists the way Linux writes them, "0,2-5": read and written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace miniss {

// The highest CPU index taken from a list; the largest Linux builds have 8,192 CPUs. It keeps
// a slip of the finger ("0-4000000000") from becoming gigabytes.
inline constexpr unsigned cpu_index_max = 65535;

// Reads numbers and inclusive ranges, separated by commas, without blanks. The result is sorted;
// a CPU that is named twice is in it once.
// Errors: std::invalid_argument, one line that quotes the list and says what is wrong with it.
std::vector<unsigned> parse_cpu_list(std::string_view text);

// The shortest list that parse_cpu_list() reads back; an empty one is "". `cpus` has to be sorted
// and free of duplicates.
std::string format_cpu_list(const std::vector<unsigned>& cpus);

}  // namespace miniss
