// Shards with mailboxes but without threads: the test says who takes the next turn.
#pragma once

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include <miniss/core/reactor.hh>
#include <miniss/smp/mailbox.hh>

namespace miniss {

// Knows no I/O, and no time.
class idle_backend : public io_backend {
public:
    void submit(const io_op&, io_completion&) noexcept override { std::abort(); }
    void cancel(io_completion&) noexcept override { std::abort(); }
    void cancel_all() noexcept override {}
    std::size_t operations_in_flight() const noexcept override { return 0; }
    bool poll() noexcept override { return false; }
    void wait_until(steady_clock::time_point) noexcept override { std::abort(); }
    steady_clock::time_point now() const noexcept override { return {}; }
    system_clock::time_point time_of_day() const noexcept override { return {}; }
    socket_calls& sockets() noexcept override { std::abort(); }
    const char* name() const noexcept override { return "idle"; }
};

class wake_counter final : public idle_backend {
public:
    unsigned wake_count = 0;
    void wake() noexcept override { ++wake_count; }
};

struct stepped_shard {
    shard_context context;
    wake_counter backend;
    reactor loop;
    mailbox mail;

    stepped_shard(unsigned id, post_office& office, std::uint64_t seed)
        : context{.id = id}, loop(context, backend, {.shuffle_seed = seed}), mail(office, loop) {}
};

// Seed 0: ready tasks run in their order. Otherwise it draws their order and when they preempt.
class stepped_shards {
    post_office _office;
    std::vector<std::unique_ptr<stepped_shard>> _shards;

public:
    explicit stepped_shards(unsigned count, std::uint64_t seed = 0) : _office(count) {
        for (unsigned id = 0; id < count; ++id) {
            _shards.push_back(std::make_unique<stepped_shard>(id, _office, seed));
        }
    }
    ~stepped_shards() {
        do {
            run_until_rest();
        } while (abandon_open_calls());
    }

    stepped_shard& operator[](unsigned id) { return *_shards[id]; }

    // Calls func() as that shard, between its turns.
    template <typename Func>
    auto on(unsigned id, Func&& func) {
        struct back {
            shard_context* before;
            ~back() { this_shard = before; }
        };
        const back restore{std::exchange(this_shard, &_shards[id]->context)};
        return func();
    }

    bool turn(unsigned id) { return _shards[id]->loop.run_one_turn(); }

    // Turn by turn, until nobody has anything to do.
    void run_until_rest() {
        bool active = true;
        while (active) {
            active = false;
            for (const auto& each : _shards) {
                active |= each->mail.has_unsent();
                active |= each->loop.run_one_turn();
            }
        }
    }

    // As at the end of a program. True if there were any.
    bool abandon_open_calls() {
        bool any = false;
        for (unsigned id = 0; id < _shards.size(); ++id) {
            any |= on(id, [&] { return _shards[id]->mail.abandon_open_calls(); });
        }
        return any;
    }
};

}  // namespace miniss
