// A fuzz target: the small texts of a request, each against its plainest possible reading.
#include <algorithm>

#include <miniss/net/http/authority.hh>
#include <miniss/net/http/byte_class.hh>
#include <miniss/net/http/framing.hh>
#include <miniss/net/http/percent.hh>
#include <miniss/net/http/query.hh>
#include <miniss/net/http/target.hh>
#include <miniss/net/http/text.hh>
#include <miniss/tests/fuzz/fuzz_target.hh>

namespace miniss::fuzz {
namespace {

using namespace http;

bool is_within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

void check_percent(std::string_view text) {
    std::string scratch;
    const auto plain_form = decode_plainly(text, true);
    const auto form = decode_form(text, scratch);
    require(form.has_value() == plain_form.has_value(), "decode_form refuses something else");
    require(!form || *form == *plain_form, "decode_form gives something else");
    auto plain_path = decode_plainly(text, false);
    if (plain_path && plain_path->find('\0') != std::string::npos) {
        plain_path.reset();
    }
    const auto path = decode_path(text, scratch);
    require(path.has_value() == plain_path.has_value(), "decode_path refuses something else");
    require(!path || *path == *plain_path, "decode_path gives something else");
}

void check_authority(std::string_view text) {
    const auto found = internal::parse_authority(text);
    if (!found) {
        return;
    }
    require(!found->host.empty() && text.starts_with(found->host), "the host is not its beginning");
    const auto rest = text.substr(found->host.size());
    require(rest.empty() || rest.front() == ':', "host and port are not apart");
    require(found->port.has_value() == (rest.size() > 1), "a port from nowhere");
    unsigned long port = 0;
    for (const char digit : rest.substr(rest.empty() ? 0 : 1)) {
        require(internal::is_digit(digit), "the port is no number");
        port = port * 10 + static_cast<unsigned long>(digit - '0');
    }
    require(port == found->port.value_or(0), "another port");
    require(text.find_first_of("@/?#\\ ") == std::string_view::npos, "more than an authority");
    require(internal::is_same_authority(*found, *found, 80), "it is not the same as itself");
}

void check_target(method verb, std::string_view text) {
    internal::target_parts parts;
    if (internal::parse_target(verb, text, parts)) {
        return;
    }
    require(is_within(parts.path, text) && is_within(parts.query, text) &&
                is_within(parts.authority, text),
            "a part of the target lies outside");
    require((verb == method::connect) == (parts.form == target_form::authority),
            "authority form is for CONNECT");
    require(parts.path.find_first_of("?\\") == std::string_view::npos, "the path has no end");
    require(parts.path.empty() || parts.path.front() == '/' || parts.path == "*",
            "a path without a slash");
    std::string scratch;
    require(decode_path(parts.path, scratch) || decode_plainly(parts.path, false).has_value(),
            "a path that cannot be decoded");
    if (parts.form == target_form::origin) {
        const auto rest = text.substr(parts.path.size());
        require(text.starts_with(parts.path) && (rest.empty() || rest.substr(1) == parts.query),
                "path and query are not the target");
    }
}

void check_length(std::string_view text) {
    constexpr std::string_view most = "18446744073709551615";
    const auto digits = text.substr(std::min(text.find_first_not_of('0'), text.size()));
    std::uint64_t plain = 0;
    bool fits = !text.empty() && digits.size() <= most.size() &&
                (digits.size() < most.size() || digits <= most);
    for (const char digit : digits) {
        fits = fits && internal::is_digit(digit);
        plain = plain * 10 + static_cast<unsigned char>(digit) - '0';
    }
    const auto length = internal::parse_content_length(text);
    require(length.has_value() == fits, "a length is judged otherwise");
    require(!length || *length == plain, "another length");
}

void check_query(std::string_view text) {
    std::string joined;
    for (const auto [key, value] : query_pairs(text)) {
        require(is_within(key, text) && is_within(value, text), "a pair lies outside");
        joined.append(key).append(value);
    }
    std::string plain;
    bool in_value = false;
    for (const char c : text) {
        const bool separates = c == '&' || (c == '=' && !in_value);
        in_value = c != '&' && (in_value || c == '=');
        if (!separates) {
            plain += c;
        }
    }
    require(joined == plain, "the pairs are not the query");
}

template <internal::byte_class Wanted>
std::size_t skip_plainly(std::string_view text, std::size_t from) {
    while (from < text.size() && internal::is(Wanted, text[from])) {
        ++from;
    }
    return from;
}

void check_skipping(std::string_view text) {
    using enum internal::byte_class;
    for (std::size_t from = 0; from <= std::min<std::size_t>(text.size(), 40); ++from) {
        require(internal::skip_value(text, from) == skip_plainly<value>(text, from), "skip_value");
        require(internal::skip_name(text, from) == skip_plainly<token>(text, from), "skip_name");
        require(internal::skip<token>(text, from) == skip_plainly<token>(text, from), "token");
        require(internal::skip<target>(text, from) == skip_plainly<target>(text, from), "target");
        require(internal::skip<path>(text, from) == skip_plainly<path>(text, from), "path");
        require(internal::skip<host>(text, from) == skip_plainly<host>(text, from), "host");
        require(internal::skip<digit>(text, from) == skip_plainly<digit>(text, from), "digit");
    }
}

}  // namespace

std::optional<std::string> decode_plainly(std::string_view raw, bool plus_is_space) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string decoded;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '+' && plus_is_space) {
            decoded += ' ';
        } else if (raw[i] != '%') {
            decoded += raw[i];
        } else {
            if (raw.size() - i < 3) {
                return std::nullopt;
            }
            const auto high = digits.find(internal::to_lower(raw[i + 1]));
            const auto low = digits.find(internal::to_lower(raw[i + 2]));
            if (high == std::string_view::npos || low == std::string_view::npos) {
                return std::nullopt;
            }
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return decoded;
}

void fuzz_texts(std::string_view input) {
    // In memory of its own, so that a sanitizer sees a read too far.
    const std::vector<char> block(input.begin(), input.end());
    const std::string_view text(block.data(), block.size());
    check_percent(text);
    check_authority(text);
    check_target(method::get, text);
    check_target(method::options, text);
    check_target(method::connect, text);
    check_length(text);
    check_query(text);
    check_skipping(text);
    check_file_texts(text);
}

}  // namespace miniss::fuzz
