// The targets under libFuzzer: `fuzzer NAME [LIBFUZZER-OPTIONS]`, and `fuzzer NAME --begin DIR`,
// which writes what NAME begins with: DIR/corpus and DIR/words.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <miniss/tests/fuzz/fuzz_target.hh>

using namespace miniss::fuzz;

namespace {

const fuzz_target* chosen = nullptr;

const fuzz_target* find_target(std::string_view name) {
    for (const auto& each : fuzz_targets) {
        if (each.name == name) {
            return &each;
        }
    }
    return nullptr;
}

void write_beginning(const std::filesystem::path& directory) {
    const auto [seeds, words] = chosen->begin();
    std::filesystem::create_directories(directory / "corpus");
    for (std::size_t i = 0; i < seeds.size(); ++i) {
        std::ofstream(directory / "corpus" / ("seed-" + std::to_string(i))) << seeds[i];
    }
    std::ofstream dictionary(directory / "words");
    constexpr std::string_view digits = "0123456789abcdef";
    for (const auto& word : words) {
        dictionary << '"';
        for (const char c : word) {
            const auto byte = static_cast<unsigned char>(c);
            dictionary << "\\x" << digits[byte / 16] << digits[byte % 16];
        }
        dictionary << "\"\n";
    }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argument_count, char*** arguments) {
    chosen = *argument_count > 1 ? find_target((*arguments)[1]) : nullptr;
    if (chosen == nullptr) {
        std::cerr << "fuzzer: name a target:";
        for (const auto& each : fuzz_targets) {
            std::cerr << ' ' << each.name;
        }
        std::cerr << '\n';
        std::exit(1);
    }
    if (*argument_count == 4 && std::strcmp((*arguments)[2], "--begin") == 0) {
        write_beginning((*arguments)[3]);
        std::exit(0);
    }
    (*arguments)[1] = (*arguments)[0];
    ++*arguments;
    --*argument_count;
    return 0;
}

// What escapes ends the process, which is how libFuzzer learns of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
    chosen->run({reinterpret_cast<const char*>(data), size_bytes});
    return 0;
}
