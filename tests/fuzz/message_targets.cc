// Fuzz targets: whole requests, and the chunks of one.
#include <miniss/tests/fuzz/fuzz_target.hh>
#include <miniss/tests/fuzz/reading.hh>
#include <miniss/tests/net/http/parsed.hh>

namespace miniss::fuzz {
namespace {

// Up to here everything is tried; what is longer has to do with a few sizes of pieces.
constexpr std::size_t short_bytes = 40;

constexpr std::size_t piece_sizes[] = {1, 2, 3, 7, 64, 1000};

void check_cut(const reading& whole, std::string_view text, std::size_t piece_bytes) {
    require(read_as_we_do(text, piece_bytes) == whole,
            "in pieces of " + std::to_string(piece_bytes) + " it is something else");
}

void check_message(std::string_view text) {
    const reading whole = read_as_we_do(text, std::string_view::npos);
    for (const std::size_t piece_bytes : piece_sizes) {
        check_cut(whole, text, piece_bytes);
    }
    compare_with_beast(whole, read_as_beast_does(text));
}

}  // namespace

void check_every_cut(std::string_view text) {
    const reading whole = read_as_we_do(text, std::string_view::npos);
    for (std::size_t piece_bytes = 1; piece_bytes < text.size(); ++piece_bytes) {
        check_cut(whole, text, piece_bytes);
    }
    // Where limits are met, too, it must not matter what comes together.
    http::limits narrow;
    narrow.request_line_bytes = 40;
    narrow.header_bytes = 100;
    narrow.header_count = 3;
    const auto difference = http::find_differing_cut(text, narrow);
    require(difference.empty(), difference);
}

void fuzz_request(std::string_view input) {
    check_message(input);
    if (input.size() <= short_bytes) {
        check_every_cut(input);
    }
}

std::string in_chunks(std::string_view chunks) {
    return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

void fuzz_chunks(std::string_view input) { check_message(in_chunks(input)); }

}  // namespace miniss::fuzz
