// The queue between two threads, from both ends.
#include <miniss/smp/spsc_queue.hh>

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

#include <miniss/tests/catch.hh>

using namespace miniss;

namespace {

using small_queue = spsc_queue<int, 4>;

// What is put in: numbers that know who they are.
std::array<int, 8> numbers{0, 1, 2, 3, 4, 5, 6, 7};

bool push(small_queue& queue, std::size_t number) { return queue.try_push(numbers.at(number)); }
bool stage(small_queue& queue, std::size_t number) { return queue.try_stage(numbers.at(number)); }

// The next ones that come out, at most so many.
std::vector<int> pop(small_queue& queue, std::size_t most) {
    std::vector<int*> items(most);
    items.resize(queue.pop_into(items));
    std::vector<int> found;
    for (const int* item : items) {
        found.push_back(*item);
    }
    return found;
}

using list = std::vector<int>;

}  // namespace

TEST_CASE("a queue gives out what was put in, in that order", "[spsc_queue]") {
    small_queue queue;
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(push(queue, i));
    }
    CHECK(pop(queue, 1) == list{0});
    CHECK(pop(queue, 1) == list{1});
    REQUIRE(push(queue, 3));
    CHECK(pop(queue, 1) == list{2});
    CHECK(pop(queue, 1) == list{3});
}

TEST_CASE("an empty queue gives nothing", "[spsc_queue]") {
    small_queue queue;
    CHECK(pop(queue, 1).empty());
    CHECK_FALSE(queue.look_for_items());
    REQUIRE(push(queue, 1));
    CHECK(queue.look_for_items());
    CHECK(pop(queue, 1) == list{1});
    CHECK(pop(queue, 1).empty());
    CHECK_FALSE(queue.look_for_items());
}

TEST_CASE("a queue takes as many items as it has slots, and no more", "[spsc_queue]") {
    small_queue queue;
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(queue.look_for_room());
        REQUIRE(push(queue, i));
    }
    CHECK_FALSE(queue.look_for_room());
    CHECK_FALSE(push(queue, 4));
    CHECK(pop(queue, 1) == list{0});
    CHECK(queue.look_for_room());
    CHECK(push(queue, 4));
    CHECK_FALSE(push(queue, 5));
}

// What tells an item from those of the round before is one bit. That it is empty after each of
// them shows that nothing is taken for new that is old.
TEST_CASE("a queue goes round its slots any number of times", "[spsc_queue]") {
    small_queue queue;
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(push(queue, 5));
        REQUIRE(push(queue, 6));
        REQUIRE(push(queue, 7));
        REQUIRE(pop(queue, 4) == list{5, 6, 7});
        REQUIRE_FALSE(queue.look_for_items());
    }
}

TEST_CASE("what is staged is seen when it is published, all of it at once", "[spsc_queue]") {
    small_queue queue;
    REQUIRE(stage(queue, 1));
    REQUIRE(stage(queue, 2));
    CHECK_FALSE(queue.look_for_items());
    CHECK(pop(queue, 4).empty());
    CHECK(queue.publish());
    REQUIRE(stage(queue, 3));
    CHECK(pop(queue, 4) == list{1, 2});
    CHECK(queue.publish());
    CHECK(pop(queue, 4) == list{3});
    CHECK_FALSE(queue.publish());
}

TEST_CASE("what is staged takes up slots", "[spsc_queue]") {
    small_queue queue;
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(stage(queue, i));
    }
    CHECK_FALSE(stage(queue, 4));
    CHECK_FALSE(queue.look_for_room());
}

TEST_CASE("popping takes what there is and what fits, whichever is less", "[spsc_queue]") {
    small_queue queue;
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(push(queue, i));
    }
    CHECK(pop(queue, 3) == list{0, 1, 2});
    REQUIRE(push(queue, 4));
    CHECK(pop(queue, 3) == list{3, 4});
}

// Goal: both ends at once, with the queue now full and now empty. ThreadSanitizer sees a missing
// release or acquire; everybody else sees items that are lost, doubled or torn. No more items than
// that, because on a busy machine each 16 of them may take two turns of its scheduler.
TEST_CASE("two threads exchange items without a lock", "[spsc_queue]") {
    struct item {
        std::uint64_t number = 0;
        std::uint64_t check = 0;
    };
    static constexpr std::uint64_t item_count = 20'000;
    std::vector<item> sent(item_count);
    spsc_queue<item, 16> queue;
    std::thread producer([&queue, &sent] {
        for (std::uint64_t i = 0; i < item_count;) {
            sent[i] = {i, ~i};
            const bool staged = queue.try_stage(sent[i]);
            i += staged ? 1 : 0;
            if (!staged || i % 5 == 0 || i == item_count) {
                queue.publish();
            }
            if (!staged) {
                std::this_thread::yield();
            }
        }
    });
    bool right = true;
    for (std::uint64_t expected = 0; expected < item_count;) {
        std::array<item*, 7> items{};
        const std::size_t count = queue.pop_into(items);
        for (std::size_t i = 0; i < count; ++i) {
            right = right && items[i]->number == expected && items[i]->check == ~expected;
            ++expected;
        }
        if (count == 0) {
            std::this_thread::yield();
        }
    }
    producer.join();
    CHECK(right);
    CHECK_FALSE(queue.look_for_items());
}
