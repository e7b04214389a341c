// A gate is a barrier: closing waits for all who are inside.
#include <miniss/core/gate.hh>

#include <optional>
#include <stdexcept>
#include <string>

#include <miniss/core/when_all.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/core/tracked.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

TEST_CASE("gate::close() waits for work that is still inside", "[gate]") {
    test_shard shard(GENERATE(range(0u, 50u)));
    gate g;
    std::string events;
    shard.run([&] {
        g.enter();
        auto work = sleep(1h).then([&] {
            events += "work ";
            g.leave();
        });
        return when_all_succeed(std::move(work), g.close().then([&] { events += "closed"; }));
    });
    CHECK(events == "work closed");
}

TEST_CASE("a gate moves with those who are inside", "[gate]") {
    test_shard shard;
    gate first;
    first.enter();
    gate second(std::move(first));
    CHECK(first.get_count() == 0);
    CHECK(second.get_count() == 1);
    auto closed = second.close();
    gate third;
    third = std::move(second);
    CHECK(third.is_closed());
    CHECK_FALSE(second.is_closed());
    CHECK_FALSE(closed.available());
    third.leave();
    CHECK(closed.available());
    CHECK(dies_saying("_inside_count == 0", [] {
        gate full;
        full.enter();
        full = gate();
    }));
}

TEST_CASE("close() of an empty gate is ready at once", "[gate]") {
    test_shard shard;
    gate g;
    CHECK(g.close().available());
    CHECK(g.is_closed());
}

TEST_CASE("close() waits for the last of many", "[gate]") {
    test_shard shard;
    gate g;
    g.enter();
    g.enter();
    CHECK(g.get_count() == 2);
    auto closed = g.close();
    g.leave();
    CHECK(!closed.available());
    g.leave();
    CHECK(closed.available());
}

TEST_CASE("nobody enters a closed gate", "[gate]") {
    test_shard shard;
    gate g;
    CHECK_NOTHROW(g.check());
    CHECK(g.try_enter());
    auto closed = g.close();
    CHECK_THROWS_AS(g.enter(), gate_closed);
    CHECK_THROWS_AS(g.check(), gate_closed);
    CHECK_THROWS_AS(g.hold(), gate_closed);
    CHECK(!g.try_enter());
    bool ran = false;
    auto refused = with_gate(g, [&] { ran = true; });
    CHECK_THROWS_AS(refused.get(), gate_closed);
    CHECK(!ran);
    CHECK(g.get_count() == 1);
    g.leave();
    CHECK(closed.available());
}

TEST_CASE("a holder is inside until it dies or is released", "[gate]") {
    test_shard shard;
    gate g;
    {
        auto holder = g.hold();
        CHECK(g.get_count() == 1);
        auto moved = std::move(holder);
        CHECK(g.get_count() == 1);
        gate::holder assigned;
        assigned = std::move(moved);
        CHECK(g.get_count() == 1);
    }
    CHECK(g.get_count() == 0);
    auto holder = g.hold();
    holder.release();
    CHECK(g.get_count() == 0);
    holder.release();
    CHECK(g.get_count() == 0);
}

TEST_CASE("copies of a holder count, also of a closed gate", "[gate]") {
    test_shard shard;
    gate g;
    std::optional<gate::holder> first(g.hold());
    auto closed = g.close();
    std::optional<gate::holder> second(*first);
    CHECK(g.get_count() == 2);
    first.reset();
    CHECK(!closed.available());
    second.reset();
    CHECK(closed.available());
}

TEST_CASE("assigning a holder leaves the gate that it held", "[gate]") {
    test_shard shard;
    gate a;
    gate b;
    auto holder = a.hold();
    holder = b.hold();
    CHECK(a.get_count() == 0);
    CHECK(b.get_count() == 1);
    const auto& same = holder;
    holder = same;
    CHECK(b.get_count() == 1);
}

TEST_CASE("with_gate() is inside until its future is ready, and leaves on errors too", "[gate]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    gate g;
    SECTION("a value") {
        const int value = shard.run([&] {
            return with_gate(g, [&] {
                return sleep(1s).then([&] {
                    CHECK(g.get_count() == 1);
                    return 4;
                });
            });
        });
        CHECK(value == 4);
    }
    SECTION("a failed future") {
        CHECK_THROWS_AS(shard.run([&] {
            return with_gate(g,
                             [&] { return sleep(1s).then([] { throw std::logic_error("x"); }); });
        }),
                        std::logic_error);
    }
    SECTION("a throw") {
        CHECK_THROWS_AS(shard.run([&] {
            return with_gate(g, []() -> future<> { throw std::logic_error("x"); });
        }),
                        std::logic_error);
    }
    CHECK(g.get_count() == 0);
}

TEST_CASE("with_gate() keeps its callable at one address until its future is ready", "[gate]") {
    test_shard shard(GENERATE(range(0u, 20u)));
    gate g;
    std::string trace;
    shard.run([&] {
        return with_gate(g, [&, text = std::string("a text that is not short enough to be inline"),
                             note = destruction_note(trace, 'd')] {
            const std::string* address = &text;
            return sleep(1s).then([&, address] {
                CHECK(trace.empty());
                CHECK(address == &text);
                CHECK(text.size() == 44);
            });
        });
    });
    CHECK(trace == "d");
}

TEST_CASE("entering, leaving and closing allocate nothing", "[gate][cost]") {
    test_shard shard;
    gate g;
    const allocations_since start;
    g.enter();
    { auto holder = g.hold(); }
    auto closed = g.close();
    g.leave();
    CHECK(closed.available());
    CHECK(start.count() == 0);
}

TEST_CASE("misuse of a gate is a bug", "[gate]") {
    test_shard shard;
    CHECK(dies_saying("_inside_count == 0", [] {
        gate g;
        g.enter();
    }));
    CHECK(dies_saying("!is_closed()", [] {
        gate g;
        auto first = g.close();
        auto second = g.close();
    }));
    CHECK(dies_saying("_inside_count != 0", [] {
        gate g;
        g.leave();
    }));
}

TEST_CASE("try_hold() gives a holder while the gate is open, and nothing after", "[gate]") {
    test_shard shard;
    gate g;
    auto held = g.try_hold();
    REQUIRE(held);
    CHECK(g.get_count() == 1);
    auto closed = g.close();
    CHECK(!g.try_hold());
    CHECK(!closed.available());
    held.reset();
    CHECK(closed.available());
}

TEST_CASE("try_with_gate() throws if the gate is closed, and otherwise is with_gate()", "[gate]") {
    test_shard shard;
    gate g;
    CHECK(try_with_gate(g, [] { return 3; }).get() == 3);
    auto closed = g.close();
    CHECK_THROWS_AS((void)try_with_gate(g, [] {}), gate_closed);
    CHECK(closed.available());
}
