// The timer wheel against a plain ordered map, and at the edges of its range.
#include <miniss/timer/timer_wheel.hh>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <miniss/tests/catch.hh>

namespace {

using miniss::internal::timer_list;
using miniss::internal::timer_node;
using miniss::internal::timer_wheel;

using nanoseconds = std::int64_t;

constexpr nanoseconds earliest_time = std::numeric_limits<nanoseconds>::min();
constexpr nanoseconds latest_time = std::numeric_limits<nanoseconds>::max();
constexpr nanoseconds second = 1'000'000'000;
constexpr nanoseconds year = 365 * 24 * 3600 * second;

struct numbered_node : timer_node {
    std::size_t number = 0;
};

// Empties the list, so that its nodes can be inserted again.
std::vector<std::size_t> take_numbers(timer_list& expired) {
    std::vector<std::size_t> numbers;
    while (!expired.empty()) {
        numbers.push_back(static_cast<numbered_node&>(expired.front()).number);
        expired.pop_front();
    }
    return numbers;
}

void arm(timer_wheel& wheel, timer_node& node, nanoseconds expiry) {
    node.expiry = expiry;
    wheel.insert(node);
}

std::size_t count_expired_at(timer_wheel& wheel, nanoseconds now) {
    timer_list expired;
    wheel.advance(now, expired);
    return expired.size();
}

// Sleeps, in virtual time, from one wake-up to the next until a node expires. Returns how many
// wake-ups found nothing due.
std::size_t count_early_wake_ups(timer_wheel& wheel) {
    std::size_t early = 0;
    while (count_expired_at(wheel, wheel.next_expiry()) == 0) {
        ++early;
        REQUIRE(early < 1000);
    }
    return early;
}

nanoseconds add_clamped(nanoseconds time, std::uint64_t delay) {
    const std::uint64_t room =
        static_cast<std::uint64_t>(latest_time) - static_cast<std::uint64_t>(time);
    return static_cast<nanoseconds>(static_cast<std::uint64_t>(time) + std::min(delay, room));
}

// Does the same to a wheel and to a multimap, which keeps equal keys in order of insertion.
class wheel_and_model {
    using model = std::multimap<nanoseconds, std::size_t>;

    std::mt19937_64 _random;
    nanoseconds _now;
    timer_wheel _wheel{_now};
    model _model;
    std::vector<numbered_node> _nodes;
    std::vector<model::iterator> _places;

    std::size_t pick(std::size_t count) { return _random() % count; }

    // From 0 ns to 2^bits_max ns, each order of magnitude as often as any other.
    std::uint64_t pick_delay(unsigned bits_max) {
        const std::size_t bits = pick(bits_max + 1);
        return bits == 0 ? 0 : _random() >> (64 - bits);
    }

    nanoseconds pick_expiry() {
        const std::size_t kind = pick(8);
        if (kind == 0 && !_model.empty()) {
            return std::prev(_model.end())->first;
        }
        if (kind == 1 && !_model.empty()) {
            return _model.begin()->first;
        }
        if (kind == 2) {
            const std::uint64_t since_start =
                static_cast<std::uint64_t>(_now) - static_cast<std::uint64_t>(earliest_time);
            return static_cast<nanoseconds>(static_cast<std::uint64_t>(_now) -
                                            std::min(pick_delay(20), since_start));
        }
        return add_clamped(_now, pick_delay(63));
    }

public:
    wheel_and_model(std::uint64_t seed, nanoseconds now, std::size_t node_count)
        : _random(seed), _now(now), _nodes(node_count), _places(node_count, _model.end()) {
        for (std::size_t i = 0; i < node_count; ++i) {
            _nodes[i].number = i;
        }
    }

    nanoseconds now() const { return _now; }
    bool empty() const { return _model.empty(); }

    void insert_or_unlink_one() {
        const std::size_t number = pick(_nodes.size());
        numbered_node& node = _nodes[number];
        if (_places[number] != _model.end()) {
            REQUIRE(node.is_linked());
            node.unlink();
            _model.erase(std::exchange(_places[number], _model.end()));
        } else {
            REQUIRE(!node.is_linked());
            arm(_wheel, node, pick_expiry());
            _places[number] = _model.emplace(node.expiry, number);
        }
    }

    void check_next_expiry() {
        if (_model.empty()) {
            REQUIRE(_wheel.next_expiry() == latest_time);
        } else {
            REQUIRE(_wheel.next_expiry() <= std::max(_now, _model.begin()->first));
            REQUIRE(_wheel.next_expiry() >= _now);
        }
    }

    void advance_by(std::uint64_t delay) { advance_to(add_clamped(_now, delay)); }
    void advance_a_little() { advance_by(pick_delay(40)); }
    void advance_far() { advance_by(pick_delay(60)); }
    void advance_to_next_expiry() { advance_to(_wheel.next_expiry()); }

    void advance_to(nanoseconds now) {
        _now = now;
        timer_list expired;
        _wheel.advance(now, expired);
        std::vector<std::size_t> expected;
        while (!_model.empty() && _model.begin()->first <= now) {
            expected.push_back(_model.begin()->second);
            _places[expected.back()] = _model.end();
            _model.erase(_model.begin());
        }
        REQUIRE(take_numbers(expired) == expected);
    }
};

}  // namespace

TEST_CASE("timer_wheel expires what an ordered map would, in the same order", "[timer_wheel]") {
    const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{31}));
    const nanoseconds start = GENERATE(nanoseconds{0}, 40 * year, nanoseconds{-1000}, -40 * year,
                                       earliest_time, latest_time - 2000);
    CAPTURE(seed, start);
    wheel_and_model both(seed, start, 200);
    std::mt19937_64 random(seed);
    for (int step = 0; step < 3000; ++step) {
        switch (random() % 16) {
        case 0:
            both.advance_a_little();
            break;
        case 1:
            both.advance_to_next_expiry();
            break;
        case 2:
            // Seldom, as it brings the end of time near.
            if (random() % 64 == 0) {
                both.advance_far();
            }
            break;
        default:
            both.insert_or_unlink_one();
            break;
        }
        both.check_next_expiry();
    }
    while (!both.empty()) {
        both.advance_to_next_expiry();
        both.check_next_expiry();
    }
}

TEST_CASE("a timer expires at its nanosecond and not one before", "[timer_wheel]") {
    const nanoseconds start = GENERATE(nanoseconds{0}, 40 * year + 12345, -year - 1);
    for (unsigned bit = 0; bit < 62; ++bit) {
        CAPTURE(start, bit);
        const nanoseconds expiry = start + (nanoseconds{1} << bit);
        timer_wheel wheel(start);
        timer_node node;
        arm(wheel, node, expiry);
        CHECK(count_expired_at(wheel, expiry - 1) == 0);
        CHECK(wheel.next_expiry() == expiry);
        CHECK(count_expired_at(wheel, expiry) == 1);
        CHECK(wheel.next_expiry() == latest_time);
    }
}

TEST_CASE("equal expiries come out as they were armed, however far away each was armed",
          "[timer_wheel]") {
    const nanoseconds expiry = 3 * year + 7;
    timer_wheel wheel(0);
    timer_list expired;
    std::vector<numbered_node> nodes(57);
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        // Each time half of the way is gone, until one nanosecond is left.
        wheel.advance(expiry - (expiry >> i), expired);
        nodes[i].number = i;
        arm(wheel, nodes[i], expiry);
        expected.push_back(i);
    }
    CHECK(expired.empty());
    wheel.advance(expiry, expired);
    CHECK(take_numbers(expired) == expected);
}

TEST_CASE("a timer that is armed late expires with the next advance, by its expiry",
          "[timer_wheel]") {
    timer_wheel wheel(1000);
    std::vector<numbered_node> nodes(5);
    const std::vector<nanoseconds> expiries = {1000, 999, 1001, earliest_time, 999};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].number = i;
        arm(wheel, nodes[i], expiries[i]);
    }
    CHECK(wheel.next_expiry() == 1000);
    timer_list expired;
    wheel.advance(1000, expired);
    CHECK(take_numbers(expired) == std::vector<std::size_t>{3, 1, 4, 0});
    wheel.advance(1001, expired);
    CHECK(take_numbers(expired) == std::vector<std::size_t>{2});
}

TEST_CASE("advance appends to what is in the list already", "[timer_wheel]") {
    timer_wheel wheel(0);
    std::vector<numbered_node> nodes(3);
    timer_list expired;
    nodes[1].number = 1;
    nodes[2].number = 2;
    arm(wheel, nodes[0], 10);
    wheel.advance(10, expired);
    arm(wheel, nodes[1], 20);
    wheel.advance(20, expired);
    // Late, and yet behind those that came out before.
    arm(wheel, nodes[2], 5);
    wheel.advance(20, expired);
    CHECK(take_numbers(expired) == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("an expired timer can be cancelled until it is taken from the list", "[timer_wheel]") {
    timer_wheel wheel(0);
    std::vector<numbered_node> nodes(4);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].number = i;
        arm(wheel, nodes[i], 10);
    }
    timer_list expired;
    wheel.advance(10, expired);
    nodes[0].unlink();
    nodes[2].unlink();
    CHECK_FALSE(nodes[2].is_linked());
    nodes[2].unlink();
    // One that is cancelled can be armed again while its siblings still wait.
    arm(wheel, nodes[2], 20);
    CHECK(take_numbers(expired) == std::vector<std::size_t>{1, 3});
    wheel.advance(20, expired);
    CHECK(take_numbers(expired) == std::vector<std::size_t>{2});
}

TEST_CASE("nodes, the wheel and the list of expired may die in any order", "[timer_wheel]") {
    auto wheel = std::make_unique<timer_wheel>(0);
    auto expired = std::make_unique<timer_list>();
    std::optional<timer_node> dies_armed(std::in_place);
    std::optional<timer_node> dies_expired(std::in_place);
    timer_node outlives_wheel;
    timer_node outlives_list;
    arm(*wheel, *dies_armed, 5 * second);
    arm(*wheel, outlives_wheel, 5 * second);
    arm(*wheel, *dies_expired, 10);
    arm(*wheel, outlives_list, 10);
    wheel->advance(10, *expired);
    dies_armed.reset();
    dies_expired.reset();
    CHECK(expired->size() == 1);
    wheel.reset();
    CHECK_FALSE(outlives_wheel.is_linked());
    CHECK(outlives_list.is_linked());
    expired.reset();
    CHECK_FALSE(outlives_list.is_linked());
}

TEST_CASE("a node that moves keeps its place among equals", "[timer_wheel]") {
    timer_wheel wheel(0);
    timer_node first;
    timer_node second_before_move;
    timer_node third;
    for (timer_node* node : {&first, &second_before_move, &third}) {
        arm(wheel, *node, 77);
    }
    timer_node second_after_move(std::move(second_before_move));
    CHECK(second_after_move.expiry == 77);
    timer_list expired;
    wheel.advance(77, expired);
    std::vector<timer_node*> order;
    for (timer_node& node : expired) {
        order.push_back(&node);
    }
    CHECK(order == std::vector<timer_node*>{&first, &second_after_move, &third});

    timer_node idle;
    timer_node idle_after_move(std::move(idle));
    CHECK_FALSE(idle_after_move.is_linked());
}

TEST_CASE("a lone timer is not woken for early, however far it is", "[timer_wheel]") {
    const nanoseconds distance = GENERATE(nanoseconds{1}, nanoseconds{12'345}, 17 * second, year,
                                          123 * year + 456, latest_time);
    timer_wheel wheel(0);
    timer_node node;
    arm(wheel, node, distance);
    CHECK(count_early_wake_ups(wheel) == 0);
    CHECK_FALSE(node.is_linked());
}

TEST_CASE("cancelled timers cost the one that is left at most one early wake-up", "[timer_wheel]") {
    const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{51}));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    timer_wheel wheel(40 * year);
    timer_node last;
    arm(wheel, last, 41 * year);
    std::vector<timer_node> cancelled(10'000);
    for (timer_node& node : cancelled) {
        arm(wheel, node, 40 * year + 1 + static_cast<nanoseconds>(random() % (year - 1)));
    }
    cancelled.clear();
    CHECK(count_early_wake_ups(wheel) <= 1);
    CHECK(wheel.next_expiry() == latest_time);
}

TEST_CASE("timeouts that are always cancelled cause hardly a wake-up", "[timer_wheel]") {
    // A request every 100 us, each with a timeout of 30 s and done after 10 others have begun.
    timer_wheel wheel(0);
    std::vector<timer_node> timeouts(10);
    timer_list expired;
    std::size_t wake_up_count = 0;
    nanoseconds now = 0;
    for (std::size_t request = 0; request < 1'000'000; ++request) {
        now += 100'000;
        if (wheel.next_expiry() <= now) {
            ++wake_up_count;
            wheel.advance(now, expired);
        }
        timer_node& timeout = timeouts[request % timeouts.size()];
        timeout.unlink();
        arm(wheel, timeout, now + 30 * second);
    }
    CHECK(expired.empty());
    CHECK(wake_up_count <= 2);
}

TEST_CASE("a million timers expire once each and in order", "[timer_wheel]") {
    constexpr std::size_t node_count = 1'000'000;
    constexpr nanoseconds step = second / 50;
    const std::uint64_t seed = 20240229;
    std::mt19937_64 random(seed);
    timer_wheel wheel(0);
    std::vector<timer_node> nodes(node_count);
    for (timer_node& node : nodes) {
        arm(wheel, node, 1 + static_cast<nanoseconds>(random() % (60 * second)));
    }
    timer_list expired;
    std::size_t expired_count = 0;
    bool in_order = true;
    nanoseconds previous = 0;
    for (nanoseconds now = step; now <= 60 * second; now += step) {
        wheel.advance(now, expired);
        while (!expired.empty()) {
            const nanoseconds expiry = expired.front().expiry;
            in_order = in_order && expiry >= previous && expiry > now - step && expiry <= now;
            previous = expiry;
            expired.pop_front();
            ++expired_count;
        }
    }
    CHECK(in_order);
    CHECK(expired_count == node_count);
}

TEST_CASE("the ends of time are moments like any other", "[timer_wheel]") {
    timer_wheel wheel(earliest_time);
    std::vector<numbered_node> nodes(5);
    const std::vector<nanoseconds> expiries = {latest_time, 0, earliest_time, -1,
                                               earliest_time + 1};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].number = i;
        arm(wheel, nodes[i], expiries[i]);
    }
    timer_list expired;
    SECTION("in one leap") {
        wheel.advance(latest_time, expired);
        CHECK(take_numbers(expired) == std::vector<std::size_t>{2, 4, 3, 1, 0});
    }
    SECTION("one by one") {
        for (const std::size_t number : {2U, 4U, 3U, 1U, 0U}) {
            CHECK(wheel.next_expiry() == expiries[number]);
            wheel.advance(expiries[number], expired);
            CHECK(take_numbers(expired) == std::vector<std::size_t>{number});
        }
    }
    CHECK(wheel.next_expiry() == latest_time);
}

TEST_CASE("a wheel takes 6 KiB", "[timer_wheel]") { CHECK(sizeof(timer_wheel) / 1024 == 6); }
