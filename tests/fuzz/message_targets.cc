// Fuzz targets: whole requests, and the chunks of one.
#include <miniss/tests/fuzz/fuzz_target.hh>
#include <miniss/tests/fuzz/reading.hh>
#include <miniss/tests/net/http/parsed.hh>

namespace miniss::fuzz {
namespace {

// Up to here every size of pieces is tried, so that there is a cut at every byte.
constexpr std::size_t short_bytes = 200;

constexpr std::size_t piece_sizes[] = {1, 2, 3, 7, 64, 1000};

void check_cut(const reading& whole, std::string_view text, std::size_t piece_bytes) {
    require(read_as_we_do(text, piece_bytes) == whole,
            "in pieces of " + std::to_string(piece_bytes) + " it is something else");
}

}  // namespace

void fuzz_request(std::string_view input) {
    const reading whole = read_as_we_do(input, std::string_view::npos);
    for (const std::size_t piece_bytes : piece_sizes) {
        check_cut(whole, input, piece_bytes);
    }
    if (input.size() <= short_bytes) {
        for (std::size_t piece_bytes = 4; piece_bytes < input.size(); ++piece_bytes) {
            check_cut(whole, input, piece_bytes);
        }
        // Where limits are met, too, it must not matter what comes together.
        http::limits narrow;
        narrow.request_line_bytes = 40;
        narrow.header_bytes = 100;
        narrow.header_count = 3;
        const auto difference = http::find_differing_cut(input, narrow);
        require(difference.empty(), difference);
    }
    compare_with_beast(whole, read_as_beast_does(input));
}

void fuzz_chunks(std::string_view input) {
    fuzz_request("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                 std::string(input));
}

}  // namespace miniss::fuzz
