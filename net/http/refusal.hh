// Why a message is refused: the status to answer with and the rule that was broken.
#pragma once

#include <cstdint>

#include <miniss/net/http/status.hh>

namespace miniss::http {

// Converts to true if there is something to refuse.
//
// Lifetime: `rule` is a literal.
struct refusal {
    status code = status::ok;
    const char* rule = nullptr;

    constexpr explicit operator bool() const noexcept { return rule != nullptr; }
};

// What a parser has to say after it was given bytes.
enum class parse_result : std::uint8_t {
    complete,
    incomplete,
    failed,
};

}  // namespace miniss::http
