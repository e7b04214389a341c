// What the values of options look like as text.
#pragma once

#include <chrono>
#include <string>

namespace miniss::internal {

// All of the text, in decimal digits, as far as T can hold it: int, unsigned, std::uint16_t,
// std::uint64_t or double.
// Errors: throws std::runtime_error with the name of the option.
template <typename T>
T read_number(const std::string& option, const std::string& text);

// "500ms" and the like.
// Errors: as above.
std::chrono::milliseconds read_time(const std::string& option, const std::string& text);
// In the largest unit that leaves no remainder.
std::string format_time(std::chrono::milliseconds time);

}  // namespace miniss::internal
