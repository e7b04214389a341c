#include <miniss/net/http/field_check.hh>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http::internal {
namespace {

bool is_written_by_server(std::string_view name) noexcept {
    constexpr std::string_view names[] = {
        "Connection", "Content-Length", "Date", "Server", "Transfer-Encoding",
    };
    return std::any_of(std::begin(names), std::end(names),
                       [name](std::string_view own) { return equals_ignoring_case(name, own); });
}

}  // namespace

void append_checked_field(std::string& lines, std::string_view name, std::string_view value) {
    if (name.empty() || !consists_of<byte_class::token>(name)) {
        throw std::invalid_argument("reply: malformed field name");
    }
    if (!consists_of<byte_class::value>(value)) {
        throw std::invalid_argument("reply: control byte in the value of field " +
                                    std::string(name));
    }
    if (is_written_by_server(name)) {
        throw std::invalid_argument("reply: the server itself writes field " + std::string(name));
    }
    lines.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace miniss::http::internal
