// The request methods that the parser knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace miniss::http {

// Source: RFC 9110 9.3 and RFC 5789 (PATCH).
enum class method : std::uint8_t {
    get,
    head,
    post,
    put,
    delete_,
    connect,
    options,
    trace,
    patch,
};

// The bytes of the longest name; a longer one is unknown before it ends.
inline constexpr std::size_t method_name_bytes_max = 7;

// As it is sent: GET, DELETE.
std::string_view name_of(method verb) noexcept;

// Names are case-sensitive (RFC 9110 9.1).
std::optional<method> find_method(std::string_view name) noexcept;

}  // namespace miniss::http
