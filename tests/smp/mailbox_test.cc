// Mailboxes step by step: batches, full rings, sleeping and waking, giving up.
#include <miniss/smp/mailbox.hh>

#include <random>
#include <string>

#include <miniss/smp/smp.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/allocation_count.hh>
#include <miniss/tests/dies.hh>
#include <miniss/tests/smp/stepped_shards.hh>

using namespace miniss;

namespace {

// Calls shard `to` from shard `from` that often; each call notes its number when it runs.
void send_numbered(stepped_shards& shards, unsigned from, unsigned to, int count,
                   std::vector<int>& begun) {
    shards.on(from, [&] {
        for (int i = 0; i < count; ++i) {
            (void)smp::submit_to(to, [&begun, i] { begun.push_back(i); });
        }
    });
}

std::vector<int> numbers_up_to(int count) {
    std::vector<int> numbers;
    for (int i = 0; i < count; ++i) {
        numbers.push_back(i);
    }
    return numbers;
}

}  // namespace

TEST_CASE("a call is told of at the end of the turn, and runs in one of the other shard's",
          "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    shards.turn(1);
    shards.turn(1);
    CHECK(begun.empty());  // Nobody was told of it yet.
    shards.turn(0);
    shards.turn(1);  // Takes it in.
    CHECK(begun.empty());
    shards.turn(1);
    CHECK(begun == numbers_up_to(1));
}

TEST_CASE("a result is there once its answer was taken in", "[mailbox]") {
    stepped_shards shards(2);
    auto answer = shards.on(0, [] { return smp::submit_to(1, [] { return 42; }); });
    shards.turn(0);
    shards.turn(1);
    shards.turn(1);
    CHECK_FALSE(answer.available());
    shards.turn(0);
    REQUIRE(answer.available());
    CHECK(answer.get() == 42);
}

TEST_CASE("sixteen letters go out before the turn ends", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 15, begun);
    shards.turn(1);
    shards.turn(1);
    CHECK(begun.empty());
    send_numbered(shards, 0, 1, 1, begun);
    shards.turn(1);
    shards.turn(1);
    CHECK(begun.size() == 16);
}

TEST_CASE("the first letter of a turn goes out at once to a shard that looks for it", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    shards.run_until_rest();
    send_numbered(shards, 0, 1, 2, begun);
    shards.turn(1);
    shards.turn(1);
    CHECK(begun.size() == 2);
    shards.run_until_rest();
    CHECK(begun.size() == 3);
}

TEST_CASE("letters that find the ring full wait at home and keep their order", "[mailbox]") {
    const int count = GENERATE(128, 129, 1000);
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, count, begun);
    shards.turn(0);
    CHECK(shards[0].mail.has_unsent() == (count > 128));
    shards.turn(1);
    shards.turn(1);
    CHECK(begun == numbers_up_to(128));
    shards.run_until_rest();
    CHECK(begun == numbers_up_to(count));
}

TEST_CASE("a turn takes in one ringful from each shard at most", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 128, begun);
    shards.turn(1);
    send_numbered(shards, 0, 1, 128, begun);
    shards.turn(1);
    CHECK(begun.size() == 128);
}

// Goal: answers have a ring of their own. Method: both shards' request rings are full, so neither
// could answer if the answers had to queue behind requests.
TEST_CASE("answers do not wait behind requests", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    shards.turn(0);
    shards.turn(1);
    send_numbered(shards, 1, 0, 1000, begun);
    shards.turn(1);
    CHECK(begun.size() == 1);
    CHECK(shards.on(
        0, [&shards] { return shards[0].mail.poll(); }));  // Takes in 128 requests, and the answer.
    shards.run_until_rest();
    CHECK(begun.size() == 1001);
}

TEST_CASE("a shard that is awake is not woken", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 100, begun);
    shards.turn(0);
    CHECK(shards[1].backend.wake_count == 0);
}

TEST_CASE("a shard that sleeps is woken once for a batch", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(3);
    REQUIRE(shards[1].mail.prepare_to_sleep());
    send_numbered(shards, 0, 1, 10, begun);
    CHECK(shards[1].backend.wake_count == 0);
    shards.turn(0);
    CHECK(shards[1].backend.wake_count == 1);
    send_numbered(shards, 0, 1, 100, begun);  // It has not got up yet: the first one will do.
    send_numbered(shards, 2, 1, 100, begun);
    shards.turn(0);
    shards.turn(2);
    CHECK(shards[1].backend.wake_count == 1);
    shards[1].mail.woke_up();
    shards.run_until_rest();
    CHECK(begun.size() == 210);
    CHECK(shards[1].backend.wake_count == 1);
}

TEST_CASE("a full batch wakes the other shard before the turn ends", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    REQUIRE(shards[1].mail.prepare_to_sleep());
    send_numbered(shards, 0, 1, 16, begun);
    CHECK(shards[1].backend.wake_count == 1);
    shards[1].mail.woke_up();
}

TEST_CASE("a shard that sleeps is woken by an answer", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    shards.turn(0);
    REQUIRE(shards[0].mail.prepare_to_sleep());
    shards.turn(1);
    CHECK(shards[0].backend.wake_count == 0);  // It has only taken the request in.
    shards.turn(1);
    CHECK(shards[0].backend.wake_count == 1);
    shards[0].mail.woke_up();
}

TEST_CASE("a shard does not fall asleep while there is mail for it", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    shards.turn(0);
    CHECK_FALSE(shards[1].mail.prepare_to_sleep());
    shards[1].mail.woke_up();
    shards.turn(1);
    shards.turn(1);
    CHECK_FALSE(shards[0].mail.prepare_to_sleep());  // The answer.
    shards[0].mail.woke_up();
}

TEST_CASE("a shard does not fall asleep on letters it has not sent", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    CHECK_FALSE(shards[0].mail.prepare_to_sleep());
    shards[0].mail.woke_up();
}

TEST_CASE("a shard whose letters wait for room sleeps until there is some", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 300, begun);
    shards.turn(0);
    REQUIRE(shards[0].mail.prepare_to_sleep());
    CHECK(shards[0].backend.wake_count == 0);
    shards.turn(1);
    CHECK(shards[0].backend.wake_count == 1);
    shards[0].mail.woke_up();
    shards.run_until_rest();
    CHECK(begun == numbers_up_to(300));
}

TEST_CASE("a shard does not fall asleep when its waiting letters have room", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 300, begun);
    shards.turn(0);
    shards.turn(1);
    CHECK_FALSE(shards[0].mail.prepare_to_sleep());
    shards[0].mail.woke_up();
}

TEST_CASE("a shard that took requests does not wake a caller who waits for nothing but answers",
          "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 128, begun);
    shards.turn(0);
    REQUIRE(shards[0].mail.prepare_to_sleep());
    shards.turn(1);
    CHECK(shards[0].backend.wake_count == 0);
    shards[0].mail.woke_up();
}

TEST_CASE("a call that can never be answered fails when the shard gives up", "[mailbox]") {
    promise<int> never;
    stepped_shards shards(2);
    auto answer =
        shards.on(0, [&] { return smp::submit_to(1, [&] { return never.get_future(); }); });
    shards.run_until_rest();
    CHECK_FALSE(answer.available());
    CHECK(shards.abandon_open_calls());
    CHECK_FALSE(shards.abandon_open_calls());
    shards.run_until_rest();
    REQUIRE(answer.available());
    CHECK_THROWS_AS(answer.get(), shard_stopped);
    // Nobody waits for it any more, but it may come all the same.
    shards.on(1, [&] { never.set_value(1); });
    shards.run_until_rest();
}

TEST_CASE("calling a shard that does not exist is a bug", "[mailbox]") {
    CHECK(dies_saying("shard < shard_count()", [] {
        stepped_shards shards(2);
        shards.on(0, [] { (void)smp::submit_to(2, [] {}); });
    }));
}

// Goal: every call comes back with its own answer, whatever the order of turns and tasks. Method:
// all shards call each other at random, also from within calls; a seed for each run.
TEST_CASE("calls between many shards all come back, in any order of turns", "[mailbox]") {
    const unsigned seed = GENERATE(range(1U, 20U));
    CAPTURE(seed);
    constexpr unsigned shard_count = 5;
    std::mt19937 generator(seed);
    std::uniform_int_distribution<unsigned> draw_shard(0, shard_count - 1);
    int returned_count = 0;
    int sent_count = 0;
    stepped_shards shards(shard_count, seed);
    for (int round = 0; round < 1000; ++round) {
        const unsigned self = draw_shard(generator);
        const unsigned to = draw_shard(generator);
        const unsigned then_to = draw_shard(generator);
        const unsigned burst = round % 100 == 0 ? 300 : 1;
        for (unsigned i = 0; i < burst; ++i) {
            ++sent_count;
            shards.on(self, [&] {
                (void)smp::submit_to(to, [self, then_to] {
                    return smp::submit_to(then_to, [self] { return self * 100 + this_shard_id(); });
                }).then([&, self, then_to](unsigned answer) {
                    CHECK(answer == self * 100 + then_to);
                    CHECK(this_shard_id() == self);
                    ++returned_count;
                });
            });
        }
        shards.turn(draw_shard(generator));
    }
    shards.run_until_rest();
    CHECK(returned_count == sent_count);
}

TEST_CASE("a shard does not look at others from which nothing comes", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(128);
    CHECK(shards[1].mail.watched_count() == 0);
    send_numbered(shards, 0, 1, 1, begun);
    send_numbered(shards, 127, 1, 1, begun);
    shards.run_until_rest();
    CHECK(begun.size() == 2);
    CHECK(shards[1].mail.watched_count() == 2);
    CHECK(shards[127].mail.watched_count() == 1);
    CHECK(shards[2].mail.watched_count() == 0);
    for (int i = 0; i < 300; ++i) {
        shards.turn(1);
    }
    CHECK(shards[1].mail.watched_count() == 0);
    // And it learns when something does come again.
    send_numbered(shards, 127, 1, 1, begun);
    shards.run_until_rest();
    CHECK(begun.size() == 3);
    CHECK(shards[1].mail.watched_count() == 1);
}

TEST_CASE("a shard that looks away just as a letter comes sees it", "[mailbox]") {
    const int turn_count = GENERATE(range(250, 262));
    std::vector<int> begun;
    stepped_shards shards(2);
    send_numbered(shards, 0, 1, 1, begun);
    shards.run_until_rest();
    for (int i = 0; i < turn_count; ++i) {
        shards.turn(1);
    }
    send_numbered(shards, 0, 1, 1, begun);
    shards.turn(0);
    CHECK_FALSE(shards[1].mail.prepare_to_sleep());
    shards[1].mail.woke_up();
    shards.turn(1);
    shards.turn(1);
    CHECK(begun.size() == 2);
}

TEST_CASE("a sleeping shard is woken by one from which nothing came for long", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(70);
    REQUIRE(shards[69].mail.prepare_to_sleep());
    send_numbered(shards, 68, 69, 1, begun);
    shards.turn(68);
    CHECK(shards[69].backend.wake_count == 1);
    shards[69].mail.woke_up();
    shards.run_until_rest();
    CHECK(begun.size() == 1);
}

TEST_CASE("mailboxes of shards that do not talk take next to no memory", "[mailbox]") {
    const allocations_since start;
    stepped_shards shards(128);
    const auto for_all = start.count();
    CHECK(for_all < 128 * 12);  // A few for each shard, none for each pair.
    std::vector<int> begun;
    send_numbered(shards, 0, 1, 1, begun);
    shards.run_until_rest();
    CHECK(start.count() - for_all < 20);
}

TEST_CASE("who floods a shard can wait until there is room", "[mailbox]") {
    std::vector<int> begun;
    stepped_shards shards(2);
    const auto room = [&shards] {
        return shards.on(0, [&] { return shards[0].mail.wait_for_room(1); });
    };
    const int limit = static_cast<int>(mailbox::outbox_limit);
    send_numbered(shards, 0, 1, 128 + limit - 1, begun);
    CHECK(room().available());
    send_numbered(shards, 0, 1, 1, begun);
    auto first = room();
    auto second = room();
    CHECK_FALSE(first.available());
    shards.turn(0);
    CHECK_FALSE(first.available());
    shards.turn(1);
    shards.turn(0);
    shards.turn(0);
    CHECK(first.available());
    CHECK(second.available());
    CHECK(room().available());
    shards.run_until_rest();
    CHECK(begun.size() == 128 + mailbox::outbox_limit);
}

TEST_CASE("a shard knows who has calls to answer", "[mailbox]") {
    promise<> answer;
    stepped_shards shards(3);
    const auto load_seen_by = [&shards](unsigned shard) {
        return shards.on(shard, [&] { return shards[shard].mail.load_of(2); });
    };
    shards.on(0, [&] { (void)smp::submit_to(2, [&] { return answer.get_future(); }); });
    CHECK(load_seen_by(0) == 1);
    CHECK(load_seen_by(1) == 0);
    shards.run_until_rest();
    CHECK(load_seen_by(1) == 1);
    CHECK(shards[0].mail.describe_waits() == "1 answers of shard 2");
    CHECK(shards[2].mail.describe_waits() == "its own answers to 1 calls");
    shards.on(2, [&] { answer.set_value(); });
    shards.run_until_rest();
    shards.turn(2);
    CHECK(load_seen_by(0) == 0);
    CHECK(load_seen_by(1) == 0);
    CHECK(shards[0].mail.describe_waits().empty());
}
