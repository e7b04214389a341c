// Decoding of percent-encoded paths and form values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace miniss::http {

// Both return `raw` itself if there is nothing to decode, else the decoded text, which is kept in
// `scratch`, and none if a percent sign is not followed by two hexadecimal digits.
//
// Lifetime: the result views `raw` or `scratch`.
// Cost:     no allocation when nothing is encoded, or when `scratch` has room.

// For paths; none also if a byte decodes to NUL. A decoded path may hold slashes that were not
// separators and dot segments that were hidden: whoever opens files must look for these here, in
// the decoded text, and must not decode twice.
std::optional<std::string_view> decode_path(std::string_view raw, std::string& scratch);

// For keys and values of a query or a form, in which a plus sign stands for a space.
std::optional<std::string_view> decode_form(std::string_view raw, std::string& scratch);

}  // namespace miniss::http
