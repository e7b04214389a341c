// What two readers make of the same bytes: ours, and Boost.Beast's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace miniss::fuzz {

using field_lines = std::vector<std::pair<std::string, std::string>>;

struct message {
    std::string method;
    std::string target;
    unsigned minor_version = 1;
    field_lines fields;
    std::string content;
    field_lines trailers;

    bool operator==(const message&) const = default;
};

// All messages of a stream, up to the one that is not complete or was refused. So two readers who
// disagree about where a message ends also read different messages behind it.
struct reading {
    std::vector<message> messages;
    std::string refusal;  // Our rule, or the name of Beast's error. Empty: bytes are missing.

    bool operator==(const reading&) const = default;
};

// Our reader is given pieces of so many bytes. Its limits are far above what a fuzzer comes up
// with, as Beast's are.
reading read_as_we_do(std::string_view text, std::size_t piece_bytes);
reading read_as_beast_does(std::string_view text);

// Throws broken_rule where two readers must not differ.
void compare_with_beast(const reading& ours, const reading& beast);

}  // namespace miniss::fuzz
