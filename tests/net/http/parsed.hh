// What request_parser says about a text, whole or cut into pieces, as one line to compare.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <miniss/net/http/request.hh>
#include <miniss/net/http/request_parser.hh>

namespace miniss::http {

inline std::string describe(const request& parsed, std::size_t head_bytes) {
    std::string line(name_of(parsed.method()));
    line.append(" ").append(parsed.target());
    line += " 1." + std::to_string(parsed.minor_version());
    line.append(" path=").append(parsed.path()).append(" query=").append(parsed.query());
    line.append(" host=").append(parsed.host());
    if (parsed.framing() == body_framing::chunked) {
        line += " chunked";
    } else if (parsed.framing() == body_framing::length) {
        line += " length=" + std::to_string(parsed.content_length());
    }
    line += parsed.keep_alive() ? " keep" : " close";
    line += parsed.expects_continue() ? " continue" : "";
    for (const auto [name, value] : parsed.headers()) {
        line.append(" [").append(name).append("|").append(value).append("]");
    }
    return line + " " + std::to_string(head_bytes);
}

// Hands the parser the first `bytes` of `text` in a block of memory of their own that ends with
// them, so that the address changes from call to call and a sanitizer sees a read too far.
inline std::string parse_prefix(request_parser& parser, std::string_view text, std::size_t bytes) {
    auto block = std::make_unique<char[]>(bytes);
    text.copy(block.get(), bytes);
    switch (parser.parse({block.get(), bytes})) {
    case parse_result::complete:
        return describe(request(block.get(), parser.head()), parser.head_bytes());
    case parse_result::incomplete:
        return "incomplete";
    case parse_result::failed:
        return std::to_string(static_cast<unsigned>(parser.error().code)) + " " +
               parser.error().rule;
    }
    return "neither";
}

inline std::string parse_whole(std::string_view text, const limits& bounds = {}) {
    request_parser parser(bounds);
    return parse_prefix(parser, text, text.size());
}

// How many bytes it takes until the parser says something else than "incomplete"; 0: more than
// there are. One parser sees every prefix, so this is also what happens byte by byte.
inline std::size_t bytes_until_verdict(std::string_view text, const limits& bounds = {}) {
    request_parser parser(bounds);
    for (std::size_t bytes = 1; bytes <= text.size(); ++bytes) {
        if (parse_prefix(parser, text, bytes) != "incomplete") {
            return bytes;
        }
    }
    return 0;
}

// Parses `text` byte by byte and in two pieces, cut everywhere. Returns the first way of cutting
// that leads to something else than parsing it whole, or nothing.
inline std::string find_differing_cut(std::string_view text, const limits& bounds = {}) {
    const std::string whole = parse_whole(text, bounds);
    request_parser by_byte(bounds);
    std::string last;
    for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
        last = parse_prefix(by_byte, text, bytes);
        if (last != "incomplete") {
            break;
        }
    }
    if (last != whole) {
        return "byte by byte: " + last;
    }
    request_parser parser(bounds);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        parser.reset();
        const std::string first = parse_prefix(parser, text, cut);
        if (first != "incomplete" && first != whole) {
            return "before " + std::to_string(cut) + ": " + first;
        }
        const std::string second = parse_prefix(parser, text, text.size());
        if (second != whole) {
            return "behind " + std::to_string(cut) + ": " + second;
        }
    }
    return {};
}

}  // namespace miniss::http
