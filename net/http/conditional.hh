// Whether a request for a content that has not changed, or only for a part of it, is what the peer
// thinks it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <miniss/net/http/status.hh>

namespace miniss::http {

class request;

// What identifies one state of a content.
struct validators {
    std::string entity_tag;                     // A strong one, with its quotes.
    std::optional<std::int64_t> modified = {};  // In seconds of Unix time.
};

// What the conditions of a GET or HEAD come to (RFC 9110 13.2.2): ok where it is to be answered as
// usual, not_modified, or precondition_failed. What is malformed counts as not there.
status check_conditions(const request& asked, const validators& current, std::int64_t now);

// A stretch of bytes.
struct byte_range {
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
};

// What part of `whole_bytes` bytes a request asks for.
//
// A request for several parts at once is answered with the whole, as RFC 9110 14.2 allows: it
// costs the peer some bytes, and spares all a reply that is larger than what it was made from.
struct range_wish {
    status answer = status::ok;  // Or partial_content, or range_not_satisfiable.
    byte_range part = {};
};

// Looks at Range and If-Range (RFC 9110 14.2, 13.1.5). Only GET can ask for parts.
range_wish find_range(const request& asked, std::uint64_t whole_bytes, const validators& current,
                      std::int64_t now);

}  // namespace miniss::http
