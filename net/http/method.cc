// Names of request methods.
#include <miniss/net/http/method.hh>

#include <array>

#include <miniss/net/http/method_set.hh>

namespace miniss::http {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 9> names = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
};

}  // namespace

std::string_view name_of(method verb) noexcept { return names[static_cast<std::size_t>(verb)]; }

std::optional<method> find_method(std::string_view name) noexcept {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) {
            return static_cast<method>(i);
        }
    }
    return std::nullopt;
}

std::string method_set::to_string() const {
    std::string list;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (contains(static_cast<method>(i))) {
            list.append(list.empty() ? "" : ", ").append(names[i]);
        }
    }
    return list;
}

}  // namespace miniss::http
