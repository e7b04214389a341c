#include <miniss/tests/fuzz/reading.hh>

#include <algorithm>
#include <limits>

#include <miniss/net/http/request_reader.hh>
#include <miniss/tests/fuzz/fuzz_target.hh>

namespace miniss::fuzz {
namespace {

http::limits generous() {
    http::limits bounds;
    bounds.request_line_bytes = http::header_bytes_max;
    bounds.header_bytes = http::header_bytes_max;
    bounds.header_count = 10'000;
    bounds.body_bytes = std::numeric_limits<std::uint64_t>::max();
    bounds.chunk_extension_bytes = 1'000'000;
    bounds.trailer_bytes = 1'000'000;
    return bounds;
}

message copy_of(const http::request& read) {
    message copy;
    copy.method = name_of(read.method());
    copy.target = read.target();
    copy.minor_version = read.minor_version();
    for (const auto [name, value] : read.headers()) {
        copy.fields.emplace_back(name, value);
    }
    copy.content = read.content;
    for (const auto [name, value] : read.trailers()) {
        copy.trailers.emplace_back(name, value);
    }
    return copy;
}

// Where we are stricter than Beast, and why. Who adds a line says that the difference is wanted.
constexpr std::pair<std::string_view, std::string_view> stricter[] = {
    {"unknown method", "Beast takes any token"},
    {"byte not allowed in target", "Beast takes all but controls and DEL"},
    {"malformed path", "Beast does not look into targets"},
    {"target fits no form", "the same"},
    {"scheme is not http", "the same"},
    {"malformed authority in target", "the same"},
    {"CONNECT target is not host:port", "the same"},
    {"white space before or in a name", "Beast unfolds obsolete line folding"},
    {"malformed trailer field name", "the same"},
    {"no Host", "Beast does not look at Host"},
    {"more than one Host", "the same"},
    {"malformed Host", "the same"},
    {"target contradicts Host", "the same"},
    {"more than one Content-Length", "Beast takes them if they are equal"},
    {"malformed Content-Length", "Beast takes lists of equal lengths"},
    {"Transfer-Encoding in HTTP/1.0", "Beast does not look at the version"},
    {"Transfer-Encoding is not chunked", "Beast takes others for no framing at all"},
    {"more than one Transfer-Encoding", "the same"},
    {"Content-Length and Transfer-Encoding", "Beast does when the coding is not chunked"},
    {"unknown transfer coding", "Beast leaves it to the user"},
    {"unknown expectation", "the same"},
    {"chunk size is too long", "Beast takes any number of leading zeros"},
    {"malformed chunk extension", "Beast takes control bytes in quoted values"},
};

// Where Beast is stricter.
constexpr std::pair<std::string_view, std::string_view> laxer[] = {
    {"bad value", "a Connection that is no list of tokens; options we do not know are passed over"},
    {"bad Content-Length", "in trailers, which we give to the user as they are"},
    {"bad Transfer-Encoding", "the same"},
};

template <typename Table>
bool is_accepted(const Table& table, std::string_view refusal) {
    return std::any_of(std::begin(table), std::end(table),
                       [refusal](const auto& row) { return refusal.starts_with(row.first); });
}

}  // namespace

reading read_as_we_do(std::string_view text, std::size_t piece_bytes) {
    const http::limits bounds = generous();
    http::request_reader reader(bounds);
    reading result;
    for (; !text.empty(); text.remove_prefix(std::min(piece_bytes, text.size()))) {
        // Each piece has memory of its own, so that a sanitizer sees a read too far.
        const auto piece = text.substr(0, piece_bytes);
        reader.feed(temporary_buffer<char>(piece.data(), piece.size()));
        auto step = reader.read();
        for (; step == http::parse_result::complete; step = reader.read()) {
            result.messages.push_back(copy_of(reader.current()));
            reader.consume();
        }
        if (step == http::parse_result::failed) {
            result.refusal = reader.error().rule;
            break;
        }
    }
    return result;
}

void compare_with_beast(const reading& ours, const reading& beast) {
    const auto common = std::min(ours.messages.size(), beast.messages.size());
    for (std::size_t i = 0; i < common; ++i) {
        require(ours.messages[i] == beast.messages[i], "Beast reads another message");
    }
    if (ours.messages.size() > common) {
        require(is_accepted(laxer, beast.refusal), "Beast refuses: " + beast.refusal);
    } else if (beast.messages.size() > common) {
        require(is_accepted(stricter, ours.refusal), "Beast takes it, we say: " + ours.refusal);
    } else if (ours.refusal.empty() && !beast.refusal.empty()) {
        require(is_accepted(laxer, beast.refusal), "Beast refuses before us: " + beast.refusal);
    }
}

}  // namespace miniss::fuzz
