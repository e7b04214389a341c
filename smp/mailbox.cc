#include <miniss/smp/mailbox.hh>

#include <array>
#include <bit>
#include <utility>

#include <miniss/core/assert.hh>

namespace miniss {

namespace {

// After so many letters to one shard it gets to see them, even before our turn is over.
constexpr unsigned batch_size = 16;

// After so many turns in which nothing came from a shard we wait until it tells us.
constexpr unsigned quiet_turns_max = 256;

constexpr unsigned word_bits = 64;

}  // namespace

mailbox::mailbox(post_office& office, reactor& of_shard)
    : _office(office),
      _reactor(of_shard),
      _self(of_shard.context().id),
      _in(std::make_unique<std::atomic<lane*>[]>(office.shard_count())),
      _news(std::make_unique<std::atomic<std::uint64_t>[]>(news_word_count())),
      _bell(of_shard.backend()),
      _peers(office.shard_count()) {
    _reactor.context().mail = this;
    _reactor.add_poller(*this);
    _office._boxes[_self] = this;
}

mailbox::~mailbox() {
    MINISS_ASSERT(_unsent.empty());  // The shards stopped too early: letters are left.
    MINISS_ASSERT(_outside.load(std::memory_order_acquire) == nullptr);
    for (unsigned id = 0; id < shard_count(); ++id) {
        if (const std::unique_ptr<lane> in{_in[id].load(std::memory_order_acquire)}) {
            MINISS_ASSERT(!in->requests.look_for_items());
            MINISS_ASSERT(!in->answers.look_for_items());
        }
    }
    MINISS_ASSERT(_open_calls.empty());  // abandon_open_calls() comes first.
    _office._boxes[_self] = nullptr;
    _reactor.remove_poller(*this);
    _reactor.context().mail = nullptr;
}

mailbox::peer& mailbox::peer_at(unsigned shard) noexcept {
    MINISS_ASSERT(shard < shard_count());
    std::unique_ptr<peer>& found = _peers[shard];
    if (found == nullptr) {
        found = std::make_unique<peer>();
        found->id = shard;
    }
    return *found;
}

// The peer with a lane to it.
mailbox::peer& mailbox::connected_peer(unsigned shard) noexcept {
    peer& found = peer_at(shard);
    if (found.out == nullptr) [[unlikely]] {
        found.box = &_office.box(shard);
        found.out = new lane;
        found.requests.out = &found.out->requests;
        found.answers.out = &found.out->answers;
        found.box->_in[_self].store(found.out, std::memory_order_release);
    }
    return found;
}

void mailbox::send_request(unsigned to, task& call) noexcept {
    peer& callee = connected_peer(to);
    ++callee.open_call_count;
    send(callee, callee.requests, call);
}

void mailbox::send_answer(unsigned to, task& call) noexcept {
    peer& caller = connected_peer(to);
    --_load;
    send(caller, caller.answers, call);
}

void mailbox::send(peer& to, outlet& through, task& letter) noexcept {
    if (!through.waiting.empty() || !through.out->try_stage(letter)) {
        through.waiting.push_back(letter);
        if (&through == &to.requests) {
            to.room.consume();
        }
    }
    if (!to.unsent) {
        to.unsent = true;
        _unsent.push_back(&to);
        publish(to);  // It may be the only one, and then somebody waits for it.
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

std::size_t mailbox::outlet::move_waiting() noexcept {
    std::size_t moved_count = 0;
    while (!waiting.empty() && out->try_stage(waiting.front())) {
        waiting.pop_front();
        ++moved_count;
    }
    return moved_count;
}

void mailbox::publish(peer& to) noexcept {
    const bool new_request = to.requests.out->publish();
    const bool new_answer = to.answers.out->publish();
    if (new_request || new_answer) {
        to.has_news = true;
        touch(to);
    }
}

// True if something that had waited has got a slot.
bool mailbox::move_and_publish(peer& to) noexcept {
    const std::size_t request_count = to.requests.move_waiting();
    const std::size_t answer_count = to.answers.move_waiting();
    publish(to);
    to.staged_count = 0;
    if (request_count != 0) {
        to.room.signal(request_count);
    }
    return request_count + answer_count != 0;
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
            constexpr int to_write = 1;
            __builtin_prefetch(letters[i], to_write);
            __builtin_prefetch(reinterpret_cast<std::byte*>(letters[i]) + cache_line_bytes,
                               to_write);
        }
        for (std::size_t i = 0; i < count; ++i) {
            handle(*letters[i]);
        }
        total_count += count;
    } while (count == batch_size && total_count < ring::capacity);
    return total_count != 0;
}

bool mailbox::receive_from(peer& from) noexcept {
    const bool any_request = receive(from.in->requests, [this](task& call) {
        ++_load;
        _reactor.schedule(call);
    });
    // Ends the call. That may run destructors of the caller's, which may send again.
    const bool any_answer = receive(from.in->answers, [&from](task& call) {
        --from.open_call_count;
        call.run_and_dispose();
    });
    return any_request || any_answer;
}

bool mailbox::receive_all() noexcept {
    heed_news();
    bool received = receive_from_outside();
    for (std::size_t i = 0; i < _watched.size();) {
        peer& from = *_watched[i];
        if (receive_from(from)) {
            from.quiet_turn_count = 0;
            touch(from);
            received = true;
        } else if (++from.quiet_turn_count >= quiet_turns_max && look_away(from)) {
            _watched[i] = _watched.back();
            _watched.pop_back();
            continue;
        }
        ++i;
    }
    if (_load != _published_load.load(std::memory_order_relaxed)) {
        _published_load.store(_load, std::memory_order_relaxed);
    }
    return received;
}

// Watches the lanes of those who say that they have sent something.
void mailbox::heed_news() noexcept {
    for (std::size_t word = 0; word < news_word_count(); ++word) {
        if (_news[word].load(std::memory_order_relaxed) == 0) {
            continue;
        }
        std::uint64_t senders = _news[word].exchange(0, std::memory_order_acquire);
        for (; senders != 0; senders &= senders - 1) {
            const auto bit = static_cast<unsigned>(std::countr_zero(senders));
            peer& from = peer_at(static_cast<unsigned>(word) * word_bits + bit);
            if (!from.watched) {
                from.in = _in[from.id].load(std::memory_order_acquire);
                from.in->watched.store(true, std::memory_order_relaxed);
                from.watched = true;
                from.quiet_turn_count = 0;
                _watched.push_back(&from);
            }
        }
    }
}

// True if the lane need not be watched any more. False: a letter has come.
bool mailbox::look_away(peer& from) noexcept {
    from.in->watched.store(false, std::memory_order_relaxed);
    doorbell::fence();
    if (from.in->requests.look_for_items() || from.in->answers.look_for_items()) {
        from.in->watched.store(true, std::memory_order_relaxed);
        return false;
    }
    from.watched = false;
    return true;
}

void mailbox::drop_in(internal::outside_letter& letter) noexcept {
    letter.next = _outside.load(std::memory_order_relaxed);
    while (!_outside.compare_exchange_weak(letter.next, &letter, std::memory_order_release,
                                           std::memory_order_relaxed)) {}
    doorbell::fence();
    _bell.ring_if_asleep();
}

bool mailbox::receive_from_outside() noexcept {
    if (_outside.load(std::memory_order_relaxed) == nullptr) {
        return false;
    }
    internal::outside_letter* last = _outside.exchange(nullptr, std::memory_order_acquire);
    internal::outside_letter* first = nullptr;
    while (last != nullptr) {
        internal::outside_letter* const before = std::exchange(last->next, first);
        first = std::exchange(last, before);
    }
    while (first != nullptr) {
        _reactor.schedule(*std::exchange(first, first->next));
    }
    return true;
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

// Whoever got something to read is told and woken; and so is, once its ring has been emptied, who
// sleeps although it has more to send. Between what we did to the rings and this there must be a
// fence; and one more between the bit and the bell.
void mailbox::ring_bells() noexcept {
    for (peer* changed : _touched) {
        changed->touched = false;
        const bool has_news = std::exchange(changed->has_news, false);
        if (has_news && !changed->out->watched.load(std::memory_order_relaxed)) {
            changed->box->_news[_self / word_bits].fetch_or(std::uint64_t{1} << _self % word_bits,
                                                            std::memory_order_release);
            doorbell::fence();
        }
        const bool sender_waits =
            changed->in != nullptr && changed->in->sender_waits.load(std::memory_order_relaxed);
        if (has_news || sender_waits) {
            _office.box(changed->id)._bell.ring_if_asleep();
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
        to->out->sender_waits.store(true, std::memory_order_relaxed);
    }
    _bell.lie_down();
    for (peer* to : _unsent) {
        if (to->staged_count != 0 || to->requests.could_move() || to->answers.could_move()) {
            return false;
        }
    }
    for (std::size_t word = 0; word < news_word_count(); ++word) {
        if (_news[word].load(std::memory_order_relaxed) != 0) {
            return false;
        }
    }
    for (const peer* from : _watched) {
        if (from->in->requests.look_for_items() || from->in->answers.look_for_items()) {
            return false;
        }
    }
    return _outside.load(std::memory_order_relaxed) == nullptr;
}

void mailbox::woke_up() noexcept {
    _bell.get_up();
    for (peer* to : _unsent) {
        to->out->sender_waits.store(false, std::memory_order_relaxed);
    }
}

future<> mailbox::wait_for_room(unsigned to) noexcept {
    semaphore& room = connected_peer(to).room;
    return room.wait().then([&room] { room.signal(); });
}

unsigned mailbox::load_of(unsigned shard) const noexcept {
    const peer* known = _peers[shard].get();
    return _office.box(shard)._published_load.load(std::memory_order_relaxed) +
           (known == nullptr ? 0 : known->open_call_count);
}

std::string mailbox::describe_waits() const {
    std::string text;
    for (const std::unique_ptr<peer>& each : _peers) {
        if (each != nullptr && each->open_call_count != 0) {
            text += ", " + std::to_string(each->open_call_count) + " answers of shard " +
                    std::to_string(each->id);
        }
    }
    if (_load != 0) {
        text += ", its own answers to " + std::to_string(_load) + " calls";
    }
    return text.empty() ? text : text.substr(2);
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
