// A fuzz target: something that must keep its rules whatever bytes it is given.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace miniss::fuzz {

// Where the fuzzer begins, and what it puts together: see corpus.cc.
struct corpus {
    std::vector<std::string> seeds;
    std::vector<std::string> words;
};

struct fuzz_target {
    std::string_view name;
    // Throws broken_rule if one does not hold.
    void (*run)(std::string_view input);
    corpus (*begin)();
};

struct broken_rule : std::logic_error {
    using std::logic_error::logic_error;
};

inline void require(bool holds, const std::string& rule) {
    if (!holds) {
        throw broken_rule(rule);
    }
}

void fuzz_request(std::string_view input);
void fuzz_chunks(std::string_view input);
void fuzz_texts(std::string_view input);
void fuzz_server(std::string_view input);

// Throws broken_rule if it matters where a stream of requests is cut into pieces.
void check_every_cut(std::string_view text);

// The part of fuzz_texts() that is about files.
void check_file_texts(std::string_view text);

// Without percent signs; nothing if one is not followed by two digits.
std::optional<std::string> decode_plainly(std::string_view raw, bool plus_is_space);

// What fuzz_chunks() makes of its input.
std::string in_chunks(std::string_view chunks);

corpus request_corpus();
corpus chunk_corpus();
corpus text_corpus();
corpus server_corpus();

inline constexpr fuzz_target fuzz_targets[] = {
    {"request", fuzz_request, request_corpus},
    {"chunks", fuzz_chunks, chunk_corpus},
    {"texts", fuzz_texts, text_corpus},
    {"server", fuzz_server, server_corpus},
};

}  // namespace miniss::fuzz
