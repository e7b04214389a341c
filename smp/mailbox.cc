#include <miniss/smp/mailbox.hh>

#include <array>
#include <utility>

#include <miniss/core/assert.hh>

namespace miniss {

namespace {

// After so many letters to one shard it gets to see them, even before our turn is over.
constexpr unsigned batch_size = 16;

}  // namespace

mailbox::mailbox(post_office& office, reactor& of_shard)
    : _office(office),
      _reactor(of_shard),
      _self(of_shard.context().id),
      _bell(of_shard.backend()),
      _in(std::make_unique<lane[]>(office.shard_count())),
      _peers(office.shard_count()) {
    for (unsigned id = 0; id < shard_count(); ++id) {
        _peers[id].id = id;
    }
    _unsent.reserve(shard_count());
    _touched.reserve(shard_count());
    _reactor.context().mail = this;
    _reactor.add_poller(*this);
    _office._boxes[_self] = this;
}

mailbox::~mailbox() {
    MINISS_ASSERT(_unsent.empty());  // The shards stopped too early: letters are left.
    for (unsigned id = 0; id < shard_count(); ++id) {
        MINISS_ASSERT(!_in[id].requests.look_for_items());
        MINISS_ASSERT(!_in[id].answers.look_for_items());
    }
    MINISS_ASSERT(_open_calls.empty());  // abandon_open_calls() comes first.
    _office._boxes[_self] = nullptr;
    _reactor.remove_poller(*this);
    _reactor.context().mail = nullptr;
}

mailbox::peer& mailbox::peer_at(unsigned shard) noexcept {
    MINISS_ASSERT(shard < shard_count());
    peer& found = _peers[shard];
    if (found.box == nullptr) {
        found.box = _office._boxes[shard];
        MINISS_ASSERT(found.box != nullptr);  // That shard has not started, or has stopped.
        found.requests.out = &found.box->_in[_self].requests;
        found.answers.out = &found.box->_in[_self].answers;
    }
    return found;
}

void mailbox::send_request(unsigned to, task& call) noexcept {
    peer& callee = peer_at(to);
    send(callee, callee.requests, call);
}

void mailbox::send_answer(unsigned to, task& call) noexcept {
    peer& caller = peer_at(to);
    send(caller, caller.answers, call);
}

void mailbox::send(peer& to, outlet& through, task& letter) noexcept {
    if (!through.waiting.empty() || !through.out->try_stage(&letter)) {
        through.waiting.push_back(letter);
    }
    if (!to.unsent) {
        to.unsent = true;
        _unsent.push_back(&to);
    }
    if (++to.staged_count == batch_size) {
        move_and_publish(to);
        doorbell::fence();
        ring_bells();
    }
}

void mailbox::touch(peer& changed) noexcept {
    if (!changed.touched) {
        changed.touched = true;
        _touched.push_back(&changed);
    }
}

bool mailbox::outlet::move_waiting() noexcept {
    bool moved = false;
    while (!waiting.empty() && out->try_stage(&waiting.front())) {
        waiting.pop_front();
        moved = true;
    }
    return moved;
}

// True if something that had waited has got a slot.
bool mailbox::move_and_publish(peer& to) noexcept {
    const bool moved_request = to.requests.move_waiting();
    const bool moved_answer = to.answers.move_waiting();
    const bool new_request = to.requests.out->publish();
    const bool new_answer = to.answers.out->publish();
    if (new_request || new_answer) {
        to.has_news = true;
        touch(to);
    }
    to.staged_count = 0;
    return moved_request || moved_answer;
}

bool mailbox::send_all() noexcept {
    bool moved = false;
    for (std::size_t i = 0; i < _unsent.size();) {
        peer& to = *_unsent[i];
        moved |= move_and_publish(to);
        if (to.requests.waiting.empty() && to.answers.waiting.empty()) {
            to.unsent = false;
            _unsent[i] = _unsent.back();
            _unsent.pop_back();
        } else {
            ++i;
        }
    }
    return moved;
}

// Takes at most one ringful, so that a turn ends even if the sender keeps up with us. The letters
// are in the sender's cache: ask for all of a batch before waiting for the first. True if there
// were any.
template <typename Handle>
bool mailbox::receive(ring& from, Handle&& handle) noexcept {
    std::array<task*, batch_size> letters;
    std::size_t total_count = 0;
    std::size_t count = 0;
    do {
        count = from.pop_into(letters);
        for (std::size_t i = 0; i < count; ++i) {
            __builtin_prefetch(letters[i], 1);
        }
        for (std::size_t i = 0; i < count; ++i) {
            handle(*letters[i]);
        }
        total_count += count;
    } while (count == batch_size && total_count < ring::capacity);
    return total_count != 0;
}

bool mailbox::receive_all() noexcept {
    bool received = false;
    for (peer& from : _peers) {
        lane& in = _in[from.id];
        const bool any_request =
            receive(in.requests, [this](task& call) { _reactor.schedule(call); });
        // Ends the call. That may run destructors of the caller's, which may send again.
        const bool any_answer = receive(in.answers, [](task& call) { call.run_and_dispose(); });
        if (any_request || any_answer) {
            touch(from);
            received = true;
        }
    }
    return received;
}

bool mailbox::poll() noexcept {
    const bool moved = send_all();
    const bool received = receive_all();
    if (!_touched.empty()) {
        doorbell::fence();
        ring_bells();
    }
    return moved || received;
}

// Whoever got something to read is woken; and so is, once its ring has been emptied, who sleeps
// although it has more to send. Between what we did to the rings and this there must be a fence.
void mailbox::ring_bells() noexcept {
    for (peer* changed : _touched) {
        changed->touched = false;
        const bool sender_waits = _in[changed->id].sender_waits.load(std::memory_order_relaxed);
        if (std::exchange(changed->has_news, false) || sender_waits) {
            peer_at(changed->id).box->_bell.ring_if_asleep();
        }
    }
    _touched.clear();
}

// A shard whose letters wait for room could stay awake until there is some, but then it would burn
// a whole core for as long as the receiver runs one long task, perhaps the very core which that
// one needs. So it sleeps as well, and says on which lanes it waits. No wake-up is lost: that note
// and the receiver's index stand to each other as the doorbell's flag and the sender's index do,
// with the same two fences between.
bool mailbox::prepare_to_sleep() noexcept {
    for (peer* to : _unsent) {
        to->box->_in[_self].sender_waits.store(true, std::memory_order_relaxed);
    }
    _bell.lie_down();
    for (peer* to : _unsent) {
        if (to->staged_count != 0 || to->requests.could_move() || to->answers.could_move()) {
            return false;
        }
    }
    for (const peer& from : _peers) {
        if (_in[from.id].requests.look_for_items() || _in[from.id].answers.look_for_items()) {
            return false;
        }
    }
    return true;
}

void mailbox::woke_up() noexcept {
    _bell.get_up();
    for (peer* to : _unsent) {
        to->box->_in[_self].sender_waits.store(false, std::memory_order_relaxed);
    }
}

bool mailbox::abandon_open_calls() noexcept {
    const bool any = !_open_calls.empty();
    while (!_open_calls.empty()) {
        internal::open_call& call = _open_calls.front();
        _open_calls.pop_front();
        call.abandon();
    }
    return any;
}

}  // namespace miniss
