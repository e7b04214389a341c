// A callable of any type behind one type.
#include <miniss/core/noncopyable_function.hh>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/dies.hh>

using namespace miniss;

TEST_CASE("it passes arguments and results on, references and move-only values too",
          "[noncopyable_function]") {
    noncopyable_function<int(int, int)> subtract = [](int a, int b) { return a - b; };
    CHECK(subtract(5, 3) == 2);
    noncopyable_function<void(std::string&)> append = [](std::string& text) { text += '!'; };
    std::string text = "hi";
    append(text);
    CHECK(text == "hi!");
    noncopyable_function<std::unique_ptr<int>(std::unique_ptr<int>)> same =
        [](std::unique_ptr<int> x) { return x; };
    CHECK(*same(std::make_unique<int>(4)) == 4);
}

TEST_CASE("its callable may be move-only and may change", "[noncopyable_function]") {
    noncopyable_function<int()> count = [counter = std::make_unique<int>(0)]() mutable {
        return ++*counter;
    };
    CHECK(count() == 1);
    CHECK(count() == 2);
}

TEST_CASE("small callables need no allocation, large ones need one",
          "[noncopyable_function][cost]") {
    const allocations_since start;
    std::array<void*, 3> small{};
    noncopyable_function<void*()> first = [small] { return small[0]; };
    auto moved = std::move(first);
    CHECK(start.count() == 0);
    std::array<void*, 4> large{};
    noncopyable_function<void*()> second = [large] { return large[0]; };
    CHECK(start.count() == 1);
    auto moved_too = std::move(second);
    CHECK(start.count() == 1);
}

TEST_CASE("it destroys its callable when it dies or is assigned over", "[noncopyable_function]") {
    std::string trace;
    std::array<void*, 8> ballast{};
    {
        noncopyable_function<void()> small = [note = destruction_note(trace, 's')] {};
        noncopyable_function<std::size_t()> large = [ballast, note = destruction_note(trace, 'l')] {
            return ballast.size();
        };
        noncopyable_function<std::size_t()> target = [note = destruction_note(trace, 't')] {
            return std::size_t{0};
        };
        auto moved = std::move(small);
        CHECK(trace.empty());
        target = std::move(large);
        CHECK(trace == "t");
        auto& same = target;
        target = std::move(same);
        CHECK(trace == "t");
        CHECK(target() == 8);
    }
    CHECK(trace.size() == 3);
}

TEST_CASE("an empty one says so, and calling it is a bug", "[noncopyable_function]") {
    noncopyable_function<void()> none;
    CHECK(!none);
    noncopyable_function<void()> some = [] {};
    CHECK(some);
    auto moved = std::move(some);
    CHECK(!some);
    CHECK(dies_saying("assertion failed", [] { noncopyable_function<void()>()(); }));
}
