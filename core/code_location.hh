// A place in the program's source, or what the library calls something that has none.
#pragma once

namespace miniss {

// The last parameter of whatever is chained, so that reports can name the place:
//
//     future<> flush(code_location where = code_location::current());
//
// Lifetime: of named(): the text is a literal.
// Cost:     two stores where it is kept; the text is the compiler's.
// Source:   std::source_location, which clang++ 14 does not have. Where a chain spans several
//           lines, clang++ gives the first of them, and g++ that of the call.
class code_location {
    const char* _text = nullptr;
    unsigned _number = 0;

    static constexpr unsigned named_flag = 1U << 31;

    constexpr code_location(const char* text, unsigned number) noexcept
        : _text(text), _number(number) {}

public:
    constexpr code_location() noexcept {}

    // Where the caller is. Leave the arguments out.
    static constexpr code_location current(const char* file = __builtin_FILE(),
                                           unsigned line = __builtin_LINE()) noexcept {
        return {file, line};
    }

    // "receive", or with a number, "answer of shard 3".
    static constexpr code_location named(const char* text) noexcept { return {text, named_flag}; }
    static constexpr code_location named(const char* text, unsigned number) noexcept {
        return {text, (number + 1) | named_flag};
    }

    constexpr bool known() const noexcept { return _text != nullptr; }
    constexpr bool is_named() const noexcept { return (_number & named_flag) != 0; }

    // The file's name as the compiler was given it, or the name. Requires known().
    constexpr const char* text() const noexcept { return _text; }
    // The line; for a name the number plus one, or 0 if there is none.
    constexpr unsigned number() const noexcept { return _number & ~named_flag; }
};

}  // namespace miniss
