// A doorbell rings for sleepers, once, and misses none.
#include <miniss/smp/doorbell.hh>

#include <atomic>
#include <thread>

#include <miniss/tests/catch.hh>
#include <miniss/tests/smp/stepped_shards.hh>

using namespace miniss;

TEST_CASE("who is awake is not rung for", "[doorbell]") {
    wake_counter backend;
    doorbell bell(backend);
    bell.ring_if_asleep();
    CHECK(backend.wake_count == 0);
    bell.lie_down();
    bell.get_up();
    bell.ring_if_asleep();
    CHECK(backend.wake_count == 0);
}

TEST_CASE("one sleep takes one wake-up, however many ring", "[doorbell]") {
    wake_counter backend;
    doorbell bell(backend);
    for (unsigned sleep = 1; sleep <= 3; ++sleep) {
        bell.lie_down();
        bell.ring_if_asleep();
        bell.ring_if_asleep();
        CHECK(backend.wake_count == sleep);
        bell.get_up();
    }
}

// Goal: no wake-up is lost between real threads. Method: two threads throw a ball back and forth,
// and each lies down after every throw; who sleeps without being woken holds up the game for ever,
// which the test's time limit notices.
TEST_CASE("two threads that sleep between all steps never sleep on what has come", "[doorbell]") {
    class parked final : public idle_backend {
        std::atomic<bool> _woken{false};

    public:
        void wake() noexcept override {
            _woken.store(true, std::memory_order_release);
            _woken.notify_one();
        }
        void sleep() {
            _woken.wait(false, std::memory_order_acquire);
            _woken.store(false, std::memory_order_relaxed);
        }
    };
    struct player {
        parked backend;
        doorbell bell{backend};
        alignas(cache_line_bytes) std::atomic<int> ball{0};
    };
    constexpr int throw_count = 2'000;
    player players[2];
    const auto play = [](player& self, player& other) {
        for (int i = 1; i <= throw_count; ++i) {
            other.ball.store(i, std::memory_order_release);
            doorbell::fence();
            other.bell.ring_if_asleep();
            while (self.ball.load(std::memory_order_acquire) < i) {
                self.bell.lie_down();
                if (self.ball.load(std::memory_order_acquire) < i) {
                    self.backend.sleep();
                }
                self.bell.get_up();
            }
        }
    };
    std::thread other([&] { play(players[1], players[0]); });
    play(players[0], players[1]);
    other.join();
    CHECK(players[0].ball.load() == throw_count);
}
