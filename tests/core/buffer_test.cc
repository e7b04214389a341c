// Buffers: who shares which bytes, and when they are freed.
#include <miniss/core/buffer.hh>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>

using namespace miniss;

namespace {

// Counts how often it was told to free its memory.
class counting_owner final : public buffer_owner {
    void free_memory() noexcept override { ++freed_count; }

public:
    int freed_count = 0;
};

temporary_buffer<char> buffer_of(std::string_view text) {
    return temporary_buffer<char>(text.data(), text.size());
}

}  // namespace

TEST_CASE("a buffer is empty by default, and owns what it was made with", "[buffer]") {
    temporary_buffer<char> none;
    CHECK(none.empty());
    CHECK(!none);
    CHECK(none.size() == 0);
    CHECK(none.view().empty());

    temporary_buffer<char> some(5);
    std::memcpy(some.get_write(), "hello", 5);
    CHECK(some);
    CHECK(some.view() == "hello");
    CHECK(some[1] == 'e');
    CHECK(std::string(some.begin(), some.end()) == "hello");

    const std::string text = "a copy";
    const auto copy = temporary_buffer<char>(text.data(), text.size());
    CHECK(copy.view() == text);
    CHECK(copy.get() != text.data());
}

TEST_CASE("a buffer is one allocation, freed when it dies", "[buffer][cost]") {
    const long live_before = live_allocation_count();
    const allocations_since start;
    {
        temporary_buffer<char> some(1000);
        CHECK(start.count() == 1);
        auto shared = some.share();
        auto moved = std::move(some);
        CHECK(start.count() == 1);
    }
    CHECK(live_allocation_count() == live_before);
    temporary_buffer<char> none(0);
    CHECK(start.count() == 1);
}

TEST_CASE("moving a buffer leaves an empty one behind", "[buffer]") {
    auto first = buffer_of("abc");
    auto second = std::move(first);
    CHECK(first.empty());
    CHECK(first.get() == nullptr);
    CHECK(second.view() == "abc");
    first = std::move(second);
    CHECK(first.view() == "abc");
    auto& same = first;
    first = std::move(same);
    CHECK(first.view() == "abc");
}

TEST_CASE("share() refers to the same bytes, which live as long as anyone refers to them",
          "[buffer]") {
    counting_owner owner;
    char bytes[] = "0123456789";
    {
        temporary_buffer<char> middle;
        {
            temporary_buffer<char> whole(bytes, 10, &owner);
            CHECK(!owner.shared());
            auto again = whole.share();
            CHECK(owner.shared());
            CHECK(again.get() == whole.get());
            middle = whole.share(3, 4);
        }
        CHECK(owner.freed_count == 0);
        CHECK(!owner.shared());
        CHECK(middle.view() == "3456");
        CHECK(middle.get() == bytes + 3);
    }
    CHECK(owner.freed_count == 1);
}

TEST_CASE("trimming forgets bytes at either end and keeps the memory", "[buffer]") {
    counting_owner owner;
    char bytes[] = "0123456789";
    {
        temporary_buffer<char> digits(bytes, 10, &owner);
        digits.trim_front(2);
        CHECK(digits.view() == "23456789");
        digits.trim(3);
        CHECK(digits.view() == "234");
        auto shared = digits.share();
        shared.trim_front(3);
        CHECK(shared.empty());
        CHECK(digits.view() == "234");
        CHECK(owner.freed_count == 0);
    }
    CHECK(owner.freed_count == 1);
}

TEST_CASE("clone() copies what is left, and lets the original go", "[buffer]") {
    counting_owner owner;
    char bytes[] = "0123456789";
    temporary_buffer<char> copy;
    {
        temporary_buffer<char> digits(bytes, 10, &owner);
        digits.trim_front(5);
        copy = digits.clone();
    }
    CHECK(owner.freed_count == 1);
    bytes[5] = 'x';
    CHECK(copy.view() == "56789");
}

TEST_CASE("assigning over a buffer lets its memory go", "[buffer]") {
    counting_owner first;
    counting_owner second;
    char bytes[] = "abc";
    temporary_buffer<char> held(bytes, 3, &first);
    held = temporary_buffer<char>(bytes, 2, &second);
    CHECK(first.freed_count == 1);
    CHECK(second.freed_count == 0);
    held = temporary_buffer<char>();
    CHECK(second.freed_count == 1);
}

TEST_CASE("bytes without an owner are never freed", "[buffer]") {
    static char literal[] = "for ever";
    temporary_buffer<char> view(literal, 8, nullptr);
    auto shared = view.share(4, 4);
    view = temporary_buffer<char>();
    CHECK(shared.view() == "ever");
}

TEST_CASE("buffers may be made of any type of byte", "[buffer]") {
    const unsigned char bytes[] = {0xff, 0x00};
    temporary_buffer<unsigned char> some(bytes, 2);
    CHECK(some[0] == 0xff);
    CHECK(some.share(1, 1)[0] == 0x00);
}

TEST_CASE("an aligned buffer begins at a multiple of its alignment, whatever its size",
          "[buffer]") {
    const std::size_t alignment = GENERATE(1u, 8u, 16u, 512u, 4096u);
    const std::size_t size_bytes = GENERATE(0u, 1u, 511u, 5000u);
    auto bytes = temporary_buffer<char>::aligned(alignment, size_bytes);
    CHECK(bytes.size() == size_bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.get()) % alignment == 0);
    std::fill_n(bytes.get_write(), size_bytes, 'x');
    auto shared = bytes.prefix(size_bytes / 2);
    bytes = temporary_buffer<char>();
    CHECK(shared.view() == std::string(size_bytes / 2, 'x'));
}

TEST_CASE("a copy of a text is its own", "[buffer]") {
    std::string text = "original";
    const auto copy = temporary_buffer<char>::copy_of(text);
    text = "changed!";
    CHECK(copy.view() == "original");
}

TEST_CASE("a text becomes a buffer without a copy, unless it has no memory of its own",
          "[buffer]") {
    std::string text(1000, 'x');
    const char* memory = text.data();
    const auto taken_over = make_buffer(std::move(text));
    CHECK(taken_over.get() == memory);
    CHECK(taken_over.view() == std::string(1000, 'x'));

    auto copied = make_buffer("short");
    const auto moved = std::move(copied);
    CHECK(moved.view() == "short");
    CHECK(make_buffer("").empty());
}
