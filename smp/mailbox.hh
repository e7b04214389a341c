// One shard's mailbox: the calls that go out to other shards and come in from them, and the
// answers.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <vector>

#include <miniss/core/reactor.hh>
#include <miniss/core/semaphore.hh>
#include <miniss/smp/doorbell.hh>
#include <miniss/smp/letter_memory.hh>
#include <miniss/smp/open_call.hh>
#include <miniss/smp/outside_letter.hh>
#include <miniss/smp/service_group.hh>
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
    mailbox& box(unsigned shard) const noexcept {
        MINISS_ASSERT(shard < shard_count());
        MINISS_ASSERT(_boxes[shard] != nullptr);  // That shard has not started, or has stopped.
        return *_boxes[shard];
    }
};

// What is sent is a task that belongs to the calling shard (remote_call, in smp.hh). As a request
// it runs on the shard that was called; that one sends it back as an answer, and it runs at home
// once more to end itself.
//
// Between two shards, and in each direction, there is a lane with two rings of 128 slots: one for
// requests and one for answers, so that an answer never waits behind a request. Whoever sends first
// makes it: pairs of shards that never talk have none. The first letter of a turn is shown to its
// receiver at once, as it may be the only one and somebody wait for it; the others in batches, at
// the end of the turn and whenever there are 16 of them. When a ring is full, letters wait on the
// sending shard, in order; they are linked through the hook that each task has, so that waiting
// allocates nothing. How many wait is up to the callers, who hold a future for each, and can ask
// for another one that is ready when there is room: wait_for_room().
//
// All that has come in is taken in once a turn: requests go to the end of the run queue, answers
// are delivered on the spot, which makes their waiters ready to run.
//
// A receiver looks into the lanes that it watches, those where letters came lately. Who sends on
// one that is not watched has to set a bit as well, and then it is. The danger is the same as with
// a doorbell, that a letter comes just as the receiver looks away, and so is the remedy: each side
// says what it does, fences, and looks what the other one has said.
//
// Shard: the reactor's, but for what the other mailboxes do to the rings, the bits and the
//        doorbell, and for drop_in(), which any thread may call.
// Cost:  sending or taking in a letter allocates nothing. A turn without mail looks at one word for
//        every 64 shards, one for letters from outside, and two cache lines for each shard from
//        which a letter has come in the last 256 turns, all of which stay in this core's cache.
//        Memory: 16 bytes for each shard there is, 3 KiB for each it talks to.
class mailbox final : public poller {
    using ring = spsc_queue<task, 128>;
    using open_call_list =
        boost::intrusive::list<internal::open_call, boost::intrusive::constant_time_size<false>>;

    // One direction between two shards. Belongs to the mailbox of the receiver.
    struct lane {
        ring requests;
        ring answers;
        // The sender has more than fits, and sleeps until there is room.
        alignas(cache_line_bytes) std::atomic<bool> sender_waits{false};
        // The receiver looks here by itself.
        alignas(cache_line_bytes) std::atomic<bool> watched{false};
    };

    // The way out into one of those rings.
    struct outlet {
        ring* out = nullptr;
        task_list waiting;  // For a slot.

        // Moves what waits into free slots; returns how many there were.
        std::size_t move_waiting() noexcept;
        bool could_move() noexcept { return !waiting.empty() && out->look_for_room(); }
    };

    // All we know of another shard that we talk to. Its mailbox is looked up when we first send
    // something: when we are made, it may not be there yet.
    struct peer {
        unsigned id = 0;
        mailbox* box = nullptr;
        lane* out = nullptr;
        lane* in = nullptr;
        outlet requests;
        outlet answers;
        semaphore room{outbox_limit};
        unsigned open_call_count = 0;   // Calls of ours that it has not answered.
        unsigned staged_count = 0;      // Since all were published last.
        unsigned quiet_turn_count = 0;  // For so long has nothing come from it.
        bool unsent = false;            // Is in _unsent.
        bool touched = false;           // Is in _touched.
        bool has_news = false;          // We have published something since we last rang.
        bool watched = false;           // Is in _watched.
    };

    post_office& _office;
    reactor& _reactor;
    unsigned _self;
    std::unique_ptr<std::atomic<lane*>[]> _in;                 // By sender.
    std::unique_ptr<std::atomic<std::uint64_t>[]> _news;       // A bit for each sender.
    std::atomic<internal::outside_letter*> _outside{nullptr};  // The last one is first.
    doorbell _bell;
    std::atomic<unsigned> _published_load{0};
    unsigned _load = 0;                         // Requests taken in, but not answered.
    std::vector<std::unique_ptr<peer>> _peers;  // Those we have talked to.
    std::vector<peer*> _watched;
    std::vector<peer*> _unsent;   // With letters that are staged or wait.
    std::vector<peer*> _touched;  // Whose rings we have changed in this turn.
    open_call_list _open_calls;
    internal::local_service_groups _groups{shard_count()};
    internal::letter_memory _memory;

public:
    // So many letters may wait for a slot before wait_for_room() does.
    static constexpr std::size_t outbox_limit = 1024;

    mailbox(post_office& office, reactor& of_shard);
    ~mailbox();
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;

    unsigned shard_count() const noexcept { return _office.shard_count(); }

    // Sends a call to another shard; the task comes back to us as an answer.
    void send_request(unsigned to, task& call) noexcept;
    // Sends a call back to the shard that it came from.
    void send_answer(unsigned to, task& call) noexcept;

    // Any thread: has `letter` run here.
    void drop_in(internal::outside_letter& letter) noexcept;

    // Ready while fewer than outbox_limit requests wait here for a slot, and when that is so again.
    future<> wait_for_room(unsigned to) noexcept;

    // How many calls that shard has to answer, as far as we know: all that it had taken in lately,
    // and those from here.
    unsigned load_of(unsigned shard) const noexcept;

    internal::local_service_groups& groups() noexcept { return _groups; }

    // For the calls that are sent from here.
    internal::letter_memory& memory() noexcept { return _memory; }

    void add_open_call(internal::open_call& call) noexcept { _open_calls.push_back(call); }

    // Answers every call that has not been answered yet with an error. For a shard that stops, once
    // nothing runs any more. True if there were any.
    bool abandon_open_calls() noexcept;

    // True while letters wait because their ring is full.
    bool has_unsent() const noexcept { return !_unsent.empty(); }

    // Into how many lanes a turn looks.
    std::size_t watched_count() const noexcept { return _watched.size(); }

    // What somebody here waits for: "2 answers of shard 1, ...". Empty if for nothing.
    std::string describe_waits() const;

    bool poll() noexcept override;
    steady_clock::time_point next_deadline() noexcept override {
        return steady_clock::time_point::max();
    }
    bool prepare_to_sleep() noexcept override;
    void woke_up() noexcept override;

private:
    std::size_t news_word_count() const noexcept { return (shard_count() + 63) / 64; }
    peer& peer_at(unsigned shard) noexcept;
    peer& connected_peer(unsigned shard) noexcept;
    void send(peer& to, outlet& through, task& letter) noexcept;
    void touch(peer& changed) noexcept;
    void publish(peer& to) noexcept;
    bool move_and_publish(peer& to) noexcept;
    bool send_all() noexcept;
    template <typename Handle>
    static bool receive(ring& from, Handle&& handle) noexcept;
    bool receive_from(peer& from) noexcept;
    bool receive_all() noexcept;
    bool receive_from_outside() noexcept;
    void heed_news() noexcept;
    bool look_away(peer& from) noexcept;
    void ring_bells() noexcept;
};

}  // namespace miniss
