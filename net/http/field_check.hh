// What handlers may say in field lines of their own.
#pragma once

#include <string>
#include <string_view>

namespace miniss::http::internal {

// Appends a field line with its line break. Refused are names that are no tokens, values with
// control bytes (so that nobody can split the message), and the fields that the server itself
// answers for: Connection, Content-Length, Date, Server and Transfer-Encoding.
// Throws std::invalid_argument.
void append_checked_field(std::string& lines, std::string_view name, std::string_view value);

}  // namespace miniss::http::internal
