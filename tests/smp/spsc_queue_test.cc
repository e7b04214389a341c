// The queue between two threads, from both ends.
#include <miniss/smp/spsc_queue.hh>

#include <array>
#include <cstdint>
#include <thread>

#include <miniss/tests/catch.hh>

using namespace miniss;

namespace {

using small_queue = spsc_queue<int, 4>;

int pop(small_queue& queue) {
    int item = -1;
    REQUIRE(queue.try_pop(item));
    return item;
}

}  // namespace

TEST_CASE("a queue gives out what was put in, in that order", "[spsc_queue]") {
    small_queue queue;
    for (int i = 0; i < 3; ++i) {
        REQUIRE(queue.try_push(i));
    }
    CHECK(pop(queue) == 0);
    CHECK(pop(queue) == 1);
    REQUIRE(queue.try_push(3));
    CHECK(pop(queue) == 2);
    CHECK(pop(queue) == 3);
}

TEST_CASE("an empty queue gives nothing", "[spsc_queue]") {
    small_queue queue;
    int item = -1;
    CHECK_FALSE(queue.try_pop(item));
    CHECK_FALSE(queue.look_for_items());
    REQUIRE(queue.try_push(1));
    CHECK(queue.look_for_items());
    CHECK(pop(queue) == 1);
    CHECK_FALSE(queue.try_pop(item));
    CHECK(item == -1);
}

TEST_CASE("a queue takes as many items as it has slots, and no more", "[spsc_queue]") {
    small_queue queue;
    for (int i = 0; i < 4; ++i) {
        CHECK(queue.look_for_room());
        REQUIRE(queue.try_push(i));
    }
    CHECK_FALSE(queue.look_for_room());
    CHECK_FALSE(queue.try_push(4));
    CHECK(pop(queue) == 0);
    CHECK(queue.look_for_room());
    CHECK(queue.try_push(4));
    CHECK_FALSE(queue.try_push(5));
}

TEST_CASE("a queue goes round its slots any number of times", "[spsc_queue]") {
    small_queue queue;
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(queue.try_push(2 * i));
        REQUIRE(queue.try_push(2 * i + 1));
        REQUIRE(queue.try_push(-1));
        REQUIRE(pop(queue) == 2 * i);
        REQUIRE(pop(queue) == 2 * i + 1);
        REQUIRE(pop(queue) == -1);
    }
}

TEST_CASE("what is staged is seen when it is published, all of it at once", "[spsc_queue]") {
    small_queue queue;
    std::array<int, 4> items{};
    REQUIRE(queue.try_stage(1));
    REQUIRE(queue.try_stage(2));
    CHECK_FALSE(queue.look_for_items());
    CHECK(queue.pop_into(items) == 0);
    CHECK(queue.publish());
    CHECK(queue.pop_into(items) == 2);
    CHECK(items == std::array{1, 2, 0, 0});
    CHECK_FALSE(queue.publish());
}

TEST_CASE("what is staged takes up slots", "[spsc_queue]") {
    small_queue queue;
    for (int i = 0; i < 4; ++i) {
        REQUIRE(queue.try_stage(i));
    }
    CHECK_FALSE(queue.try_stage(4));
    CHECK_FALSE(queue.look_for_room());
}

TEST_CASE("popping takes what there is and what fits, whichever is less", "[spsc_queue]") {
    small_queue queue;
    for (int i = 0; i < 4; ++i) {
        REQUIRE(queue.try_push(i));
    }
    std::array<int, 3> items{};
    CHECK(queue.pop_into(items) == 3);
    CHECK(items == std::array{0, 1, 2});
    REQUIRE(queue.try_push(4));
    CHECK(queue.pop_into(items) == 1);  // It had seen four items, and takes what is left of them.
    CHECK(items[0] == 3);
    CHECK(queue.pop_into(items) == 1);
    CHECK(items[0] == 4);
}

// Goal: both ends at once, with the queue now full and now empty. ThreadSanitizer sees a missing
// release or acquire; everybody else sees items that are lost, doubled or torn.
TEST_CASE("two threads exchange items without a lock", "[spsc_queue]") {
    struct item {
        std::uint64_t number;
        std::uint64_t check;
    };
    static constexpr std::uint64_t item_count = 100'000;
    spsc_queue<item, 16> queue;
    std::thread producer([&queue] {
        for (std::uint64_t i = 0; i < item_count;) {
            const bool staged = queue.try_stage({i, ~i});
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
        std::array<item, 7> items{};
        const std::size_t count = queue.pop_into(items);
        for (std::size_t i = 0; i < count; ++i) {
            right = right && items[i].number == expected && items[i].check == ~expected;
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
