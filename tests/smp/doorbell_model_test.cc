// The sleep/wake protocols of doorbell.hh and mailbox.cc on a model of the machine: all orders in
// which steps of two or three threads, and the stores that they have issued, can take effect.
#include <array>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include <miniss/tests/catch.hh>

namespace {

enum variable { queue, asleep, sender_waits, popped, watched, news, variable_count };

enum class action { store, fence, go_on_if, stop_if, skip_if, take, wake, sleep };

// store: variable = value, at some later time. fence: not before all stores are done.
// go_on_if: ends the program unless variable == value; stop_if: if it is. skip_if: leaves out the
// next step if it is.
// take: like go_on_if, but also clears the variable, in one step and with a fence.
struct step {
    action what;
    variable which = queue;
    int value = 1;
};
using program = std::vector<step>;

// A processor keeps its own stores in order, but others see them later (x86-TSO, as in Sewell et
// al.: x86-TSO, a rigorous and usable programmer's model, 2010).
struct thread_state {
    std::size_t position = 0;
    std::deque<std::pair<variable, int>> stores;
    auto operator<=>(const thread_state&) const = default;
};

struct machine_state {
    std::array<int, variable_count> memory{};
    std::vector<thread_state> threads;
    bool sleeps = false;
    bool woken = false;
    auto operator<=>(const machine_state&) const = default;
};

class machine {
    const std::vector<program>& _programs;
    std::set<machine_state> _seen;
    bool _sleeper_was_lost = false;

public:
    machine(const std::vector<program>& programs, int is_watched) : _programs(programs) {
        machine_state start;
        start.memory[watched] = is_watched;
        start.threads.resize(programs.size());
        explore(start);
    }
    // In some order the sleeper sleeps at the end, and nobody has woken it.
    bool sleeper_was_lost() const { return _sleeper_was_lost; }

private:
    void explore(const machine_state& now) {
        if (!_seen.insert(now).second) {
            return;
        }
        bool ended = true;
        for (std::size_t id = 0; id < _programs.size(); ++id) {
            const thread_state& thread = now.threads[id];
            if (!thread.stores.empty()) {
                ended = false;
                machine_state next = now;
                const auto [which, value] = thread.stores.front();
                next.memory[which] = value;
                next.threads[id].stores.pop_front();
                explore(next);
            }
            if (thread.position < _programs[id].size()) {
                ended = false;
                take_step(now, id);
            }
        }
        _sleeper_was_lost |= ended && now.sleeps && !now.woken;
    }

    // What the thread itself sees: its own last store, or else the memory.
    static int load(const machine_state& now, std::size_t id, variable which) {
        const auto& stores = now.threads[id].stores;
        for (auto store = stores.rbegin(); store != stores.rend(); ++store) {
            if (store->first == which) {
                return store->second;
            }
        }
        return now.memory[which];
    }

    void take_step(const machine_state& now, std::size_t id) {
        const step& todo = _programs[id][now.threads[id].position];
        machine_state next = now;
        thread_state& thread = next.threads[id];
        ++thread.position;
        switch (todo.what) {
        case action::store:
            thread.stores.emplace_back(todo.which, todo.value);
            break;
        case action::fence:
            if (!thread.stores.empty()) {
                return;  // Not yet.
            }
            break;
        case action::go_on_if:
        case action::stop_if:
            if ((load(now, id, todo.which) == todo.value) == (todo.what == action::stop_if)) {
                thread.position = _programs[id].size();
            }
            break;
        case action::skip_if:
            if (load(now, id, todo.which) == todo.value) {
                ++thread.position;
            }
            break;
        case action::take:
            if (!thread.stores.empty()) {
                return;
            }
            if (std::exchange(next.memory[todo.which], 0) != todo.value) {
                thread.position = _programs[id].size();
            }
            break;
        case action::wake:
            next.woken = true;
            break;
        case action::sleep:
            next.sleeps = true;
            break;
        }
        explore(next);
    }
};

program without_fence(program all) {
    std::erase_if(all, [](const step& each) { return each.what == action::fence; });
    return all;
}

bool may_lose_sleeper(const std::vector<program>& programs, int is_watched = 0) {
    return machine(programs, is_watched).sleeper_was_lost();
}

const program sender = {
    {action::store, queue}, {action::fence}, {action::go_on_if, asleep},
    {action::take, asleep}, {action::wake},
};
const program sleeper = {
    {action::store, asleep},
    {action::fence},
    {action::stop_if, queue},  // It gets up, and takes the mail in.
    {action::sleep},
};

// The same for a sleeper that waits for room in a full ring, and a receiver that makes some.
const program receiver = {
    {action::store, popped},    {action::fence},        {action::go_on_if, sender_waits},
    {action::go_on_if, asleep}, {action::take, asleep}, {action::wake},
};
const program full_sleeper = {
    {action::store, sender_waits}, {action::store, asleep}, {action::fence},
    {action::stop_if, popped},     {action::sleep},
};

// And for a receiver that looks away from a lane just as a letter comes, and then sleeps; it looks
// at the bits once more, but no longer into that lane.
const program sender_to_lane = {
    {action::store, queue}, {action::fence}, {action::skip_if, watched},
    {action::store, news},  {action::fence}, {action::go_on_if, asleep},
    {action::take, asleep}, {action::wake},
};
const program looks_away = {
    {action::store, watched, 0},
    {action::fence},
    {action::stop_if, queue},
    {action::store, asleep},
    {action::fence},
    {action::stop_if, news},
    {action::sleep},
};

program without_fence_number(program all, int number) {
    std::erase_if(
        all, [&number](const step& each) { return each.what == action::fence && --number == 0; });
    return all;
}

}  // namespace

TEST_CASE("in no order of events does a shard sleep on its mail", "[doorbell]") {
    CHECK_FALSE(may_lose_sleeper({sender, sleeper}));
    CHECK_FALSE(may_lose_sleeper({sender, sender, sleeper}));
}

TEST_CASE("without either of its fences a doorbell may not ring", "[doorbell]") {
    CHECK(may_lose_sleeper({without_fence(sender), sleeper}));
    CHECK(may_lose_sleeper({sender, without_fence(sleeper)}));
}

TEST_CASE("in no order of events does a shard sleep on letters that have room", "[doorbell]") {
    CHECK_FALSE(may_lose_sleeper({receiver, full_sleeper}));
    CHECK_FALSE(may_lose_sleeper({receiver, sender, full_sleeper}));
}

TEST_CASE("without either of its fences a shard may wait for room that it has", "[doorbell]") {
    CHECK(may_lose_sleeper({without_fence(receiver), full_sleeper}));
    CHECK(may_lose_sleeper({receiver, without_fence(full_sleeper)}));
}

TEST_CASE("in no order of events does a shard look away from a letter and sleep", "[doorbell]") {
    const int is_watched = GENERATE(0, 1);
    CHECK_FALSE(may_lose_sleeper({sender_to_lane, looks_away}, is_watched));
    CHECK_FALSE(may_lose_sleeper({sender_to_lane, sender_to_lane, looks_away}, is_watched));
}

TEST_CASE("without any one of its fences a shard may look away from a letter", "[doorbell]") {
    const int number = GENERATE(1, 2);
    CHECK(may_lose_sleeper({without_fence_number(sender_to_lane, number), looks_away}, 1));
    CHECK(may_lose_sleeper({sender_to_lane, without_fence_number(looks_away, number)}, 1));
}
