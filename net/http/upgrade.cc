#include <miniss/net/http/upgrade.hh>

#include <miniss/net/http/request.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

// Whether one of the fields of this name lists `wanted`.
bool lists(const request& asked, std::string_view name, std::string_view wanted) {
    bool found = false;
    for (const auto& [field_name, value] : asked.headers()) {
        if (internal::equals_ignoring_case(field_name, name)) {
            internal::for_each_element(value, [&found, wanted](std::string_view element) {
                found = found || internal::equals_ignoring_case(element, wanted);
            });
        }
    }
    return found;
}

}  // namespace

bool asks_for_upgrade(const request& asked, std::string_view protocol) {
    return asked.minor_version() >= 1 && lists(asked, "Connection", "upgrade") &&
           lists(asked, "Upgrade", protocol);
}

}  // namespace miniss::http
