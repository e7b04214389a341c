// Percent-decoding.
#include <miniss/net/http/percent.hh>

#include <miniss/net/http/byte_class.hh>

namespace miniss::http {
namespace {

std::optional<std::string_view> decode(std::string_view raw, std::string_view encoding,
                                       std::string& scratch) {
    std::size_t at = raw.find_first_of(encoding);
    if (at == std::string_view::npos) {
        return raw;
    }
    scratch.clear();
    while (at != std::string_view::npos) {
        scratch.append(raw.substr(0, at));
        if (raw[at] == '+') {
            scratch.push_back(' ');
            raw.remove_prefix(at + 1);
        } else {
            const int high = raw.size() - at >= 3 ? internal::hex_value(raw[at + 1]) : -1;
            const int low = high >= 0 ? internal::hex_value(raw[at + 2]) : -1;
            if (low < 0) {
                return std::nullopt;
            }
            scratch.push_back(static_cast<char>(high * 16 + low));
            raw.remove_prefix(at + 3);
        }
        at = raw.find_first_of(encoding);
    }
    scratch.append(raw);
    return scratch;
}

}  // namespace

std::optional<std::string_view> decode_path(std::string_view raw, std::string& scratch) {
    const auto path = decode(raw, "%", scratch);
    return path && path->find('\0') == std::string_view::npos ? path : std::nullopt;
}

std::optional<std::string_view> decode_form(std::string_view raw, std::string& scratch) {
    return decode(raw, "%+", scratch);
}

}  // namespace miniss::http
