// The fuzz targets without a fuzzer: their corpus, and a number of mutations of it that is the
// same with every compiler.
#include <random>

#include <miniss/tests/catch.hh>
#include <miniss/tests/fuzz/fuzz_target.hh>
#include <miniss/tests/fuzz/reading.hh>

using namespace miniss::fuzz;

namespace {

class mutator {
    const corpus _begin;
    std::mt19937_64 _random;

public:
    mutator(const fuzz_target& target, std::uint64_t seed)
        : _begin(target.begin()), _random(seed) {}

    // A seed, or the beginning of one and the end of another, with a few changes.
    std::string next() {
        std::string made = one_of(_begin.seeds);
        if (below(3) == 0) {
            const std::string& other = one_of(_begin.seeds);
            made.resize(below(made.size() + 1));
            made += other.substr(below(other.size() + 1));
        }
        for (auto changes = below(4) + 1; changes != 0; --changes) {
            change(made);
        }
        return made;
    }

private:
    std::size_t below(std::size_t bound) { return _random() % bound; }
    const std::string& one_of(const std::vector<std::string>& list) {
        return list[below(list.size())];
    }

    void change(std::string& text) {
        const std::size_t at = below(text.size() + 1);
        switch (below(6)) {
        case 0:
            text.erase(at, 1);
            return;
        case 1:
            text.erase(at, below(10));
            return;
        case 2:
            text.insert(at, 1, static_cast<char>(below(256)));
            return;
        case 3:
            text.insert(at, text.substr(below(text.size() + 1), below(20)));
            return;
        default:
            text.insert(at, one_of(_begin.words));
            return;
        }
    }
};

// To be put into corpus.cc.
std::string as_literal(std::string_view text) {
    constexpr std::string_view digits = "01234567";
    std::string literal;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            literal += c;
        } else {
            literal += {'\\', digits[byte / 64], digits[byte / 8 % 8], digits[byte % 8]};
        }
    }
    return literal;
}

void run(const fuzz_target& target, const std::string& input) {
    INFO(target.name << " of \"" << as_literal(input) << "\"s");
    CHECK_NOTHROW(target.run(input));
}

}  // namespace

TEST_CASE("no seed of a corpus breaks a rule", "[fuzz]") {
    for (const auto& target : fuzz_targets) {
        for (const auto& seed : target.begin().seeds) {
            run(target, seed);
        }
    }
}

TEST_CASE("wherever a seed is cut, it is read the same", "[fuzz]") {
    for (const auto& seed : request_corpus().seeds) {
        CHECK_NOTHROW(check_every_cut(seed));
    }
    for (const auto& seed : chunk_corpus().seeds) {
        CHECK_NOTHROW(check_every_cut(in_chunks(seed)));
    }
}

TEST_CASE("no mutation of a corpus breaks a rule", "[fuzz]") {
    const auto [at, count] =
        GENERATE(table<std::size_t, int>({{0, 4000}, {1, 3000}, {2, 10000}, {3, 1500}}));
    constexpr std::uint64_t seed = 1;
    CAPTURE(seed);
    mutator next(fuzz_targets[at], seed);
    for (int i = 0; i < count; ++i) {
        run(fuzz_targets[at], next.next());
    }
}

TEST_CASE("a target notices when the readers differ", "[fuzz]") {
    const std::string_view text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na";
    const auto ours = read_as_we_do(text, text.size());
    const auto beast = read_as_beast_does(text);
    REQUIRE(ours.messages.size() == 1);
    REQUIRE(beast.messages.size() == 1);
    CHECK_NOTHROW(compare_with_beast(ours, beast));
    auto other = beast;
    other.messages[0].content = "b";
    CHECK_THROWS_AS(compare_with_beast(ours, other), broken_rule);
    other = {{}, "bad field"};
    CHECK_THROWS_AS(compare_with_beast(ours, other), broken_rule);
    CHECK_THROWS_AS(compare_with_beast({{}, "no such rule"}, beast), broken_rule);
    CHECK_THROWS_AS(compare_with_beast({}, beast), broken_rule);
}
