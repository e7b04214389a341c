// One shard's mailbox: the calls that go out to other shards and come in from them, and the
// answers.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <vector>

#include <miniss/core/reactor.hh>
#include <miniss/smp/doorbell.hh>
#include <miniss/smp/open_call.hh>
#include <miniss/smp/spsc_queue.hh>

namespace miniss {

// Where the mailboxes of all shards find each other.
// Lifetime: outlives them. All of them exist before the first letter is sent, and none dies while
//           another shard may still send.
class post_office {
    std::vector<mailbox*> _boxes;

    friend class mailbox;

public:
    explicit post_office(unsigned shard_count) : _boxes(shard_count) {}
    unsigned shard_count() const noexcept { return static_cast<unsigned>(_boxes.size()); }
};

// What is sent is a task that belongs to the calling shard (remote_call, in smp.hh). As a request
// it runs on the shard that was called; that one sends it back as an answer, and it runs at home
// once more to end itself.
//
// Between each two shards, and in each direction, there are two rings of 128 slots: one for
// requests and one for answers, so that an answer never waits behind a request. Letters become
// visible to their receiver in batches: once a turn, and whenever there are 16 of them. When a
// ring is full, letters wait on the sending shard, in order; they are linked through the hook that
// each task has, so that waiting allocates nothing. How many wait is up to the callers, who hold
// a future for each.
//
// All that has come in is taken in once a turn: requests go to the end of the run queue, answers
// are delivered on the spot, which makes their waiters ready to run.
//
// Shard: the reactor's, but for what the other mailboxes do to the rings and the doorbell.
// Cost:  sending or taking in a letter allocates nothing. A turn without mail looks at two cache
//        lines for each other shard, which stay in this core's cache.
class mailbox final : public poller {
    using ring = spsc_queue<task*, 128>;
    using open_call_list =
        boost::intrusive::list<internal::open_call, boost::intrusive::constant_time_size<false>>;

    // One direction between two shards. Belongs to the mailbox of the receiver.
    struct lane {
        ring requests;
        ring answers;
        // The sender has more than fits, and sleeps until there is room.
        alignas(cache_line_bytes) std::atomic<bool> sender_waits{false};
    };

    // The way out into one of those rings.
    struct outlet {
        ring* out = nullptr;
        task_list waiting;  // For a slot.

        // Moves what waits into free slots. True if there were any.
        bool move_waiting() noexcept;
        bool could_move() noexcept { return !waiting.empty() && out->look_for_room(); }
    };

    // All we know of another shard. Its mailbox is looked up when it is first needed: when we are
    // made, it may not be there yet.
    struct peer {
        unsigned id = 0;
        mailbox* box = nullptr;
        outlet requests;
        outlet answers;
        unsigned staged_count = 0;  // In a slot, but not published yet.
        bool unsent = false;        // Is in _unsent.
        bool touched = false;       // Is in _touched.
        bool has_news = false;      // We have published something since we last rang.
    };

    post_office& _office;
    reactor& _reactor;
    unsigned _self;
    doorbell _bell;
    std::unique_ptr<lane[]> _in;  // By sender.
    std::vector<peer> _peers;
    std::vector<peer*> _unsent;   // With letters that are staged or wait.
    std::vector<peer*> _touched;  // Whose rings we have changed in this turn.
    open_call_list _open_calls;

public:
    mailbox(post_office& office, reactor& of_shard);
    ~mailbox();
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;

    unsigned shard_count() const noexcept { return _office.shard_count(); }

    // Sends a call to another shard; the task comes back to us as an answer.
    void send_request(unsigned to, task& call) noexcept;
    // Sends a call back to the shard that it came from.
    void send_answer(unsigned to, task& call) noexcept;

    void add_open_call(internal::open_call& call) noexcept { _open_calls.push_back(call); }

    // Answers every call that has not been answered yet with an error. For a shard that stops, once
    // nothing runs any more. True if there were any.
    bool abandon_open_calls() noexcept;

    // True while letters wait because their ring is full.
    bool has_unsent() const noexcept { return !_unsent.empty(); }

    bool poll() noexcept override;
    steady_clock::time_point next_deadline() noexcept override {
        return steady_clock::time_point::max();
    }
    bool prepare_to_sleep() noexcept override;
    void woke_up() noexcept override;

private:
    peer& peer_at(unsigned shard) noexcept;
    void send(peer& to, outlet& through, task& letter) noexcept;
    void touch(peer& changed) noexcept;
    bool move_and_publish(peer& to) noexcept;
    bool send_all() noexcept;
    template <typename Handle>
    static bool receive(ring& from, Handle&& handle) noexcept;
    bool receive_all() noexcept;
    void ring_bells() noexcept;
};

}  // namespace miniss
