// A gate counts the work that is under way, so that a shutdown can wait for the last of it.
#pragma once

#include <optional>

#include <miniss/core/do_with.hh>

namespace miniss {

// What enter() throws once the gate is closed.
struct gate_closed : std::exception {
    const char* what() const noexcept override { return "gate closed"; }
};

// Lifetime: must outlive the future that close() returned, and must be empty when it dies.
// Shard:    every call on the shard that created it.
// Cost:     entering and leaving are one addition each; nothing allocates.
class gate {
    std::size_t _inside_count = 0;
    std::optional<promise<>> _closed;

public:
    class holder;

    gate() noexcept = default;
    // Who is inside is inside the new one then, and must leave that: there may be no holder of the
    // old one, and nothing that runs by with_gate(). The one that is assigned to must be empty.
    gate(gate&& other) noexcept
        : _inside_count(std::exchange(other._inside_count, 0)),
          _closed(std::exchange(other._closed, std::nullopt)) {}
    gate& operator=(gate&& other) noexcept {
        MINISS_ASSERT(_inside_count == 0);
        _closed = std::exchange(other._closed, std::nullopt);
        _inside_count = std::exchange(other._inside_count, 0);
        return *this;
    }
    ~gate() { MINISS_ASSERT(_inside_count == 0); }  // Work outlived the gate that counts it.

    // Errors: gate_closed after close().
    void enter() {
        if (!try_enter()) {
            throw gate_closed();
        }
    }
    bool try_enter() noexcept {
        if (is_closed()) {
            return false;
        }
        ++_inside_count;
        return true;
    }

    void leave() noexcept {
        MINISS_ASSERT(_inside_count != 0);
        --_inside_count;
        if (_inside_count == 0 && is_closed()) {
            _closed->set_value();
        }
    }

    // Throws gate_closed if it is: for long work that wants to stop early.
    void check() const {
        if (is_closed()) {
            throw gate_closed();
        }
    }

    // Lets nobody in any more; ready once everybody has left. At most once.
    future<> close() noexcept {
        MINISS_ASSERT(!is_closed());
        auto emptied = _closed.emplace().get_future(code_location::named("gate to be empty"));
        if (_inside_count == 0) {
            _closed->set_value();
        }
        return emptied;
    }

    bool is_closed() const noexcept { return _closed.has_value(); }
    std::size_t get_count() const noexcept { return _inside_count; }

    // Enters now, and leaves when the holder dies. Errors: gate_closed.
    holder hold();

    // The same, or nothing if the gate is closed.
    std::optional<holder> try_hold() noexcept;
};

// One who is inside. Copies count too, also when the gate is closed by now.
class gate::holder {
    gate* _inside = nullptr;

public:
    holder() noexcept = default;
    explicit holder(gate& to_enter) : _inside(&to_enter) { to_enter.enter(); }
    holder(const holder& other) noexcept : _inside(other._inside) {
        if (_inside != nullptr) {
            ++_inside->_inside_count;
        }
    }
    holder(holder&& other) noexcept : _inside(other._inside) { other._inside = nullptr; }
    holder& operator=(holder other) noexcept {
        std::swap(_inside, other._inside);
        return *this;
    }
    ~holder() { release(); }

    void release() noexcept {
        if (_inside != nullptr) {
            _inside->leave();
            _inside = nullptr;
        }
    }
};

inline gate::holder gate::hold() { return holder(*this); }

inline std::optional<gate::holder> gate::try_hold() noexcept {
    return is_closed() ? std::nullopt : std::optional<holder>(std::in_place, *this);
}

// Calls `func` inside the gate and leaves when its future is ready.
// Lifetime: func is kept until then.
// Errors:   gate_closed, as a failed future.
template <typename Func>
auto with_gate(gate& guarded, Func&& func,
               code_location where = code_location::current()) noexcept {
    using result = futurize_t<std::invoke_result_t<std::decay_t<Func>&>>;
    if (!guarded.try_enter()) {
        return result::make_failed(std::make_exception_ptr(gate_closed()));
    }
    return internal::invoke_kept(std::forward<Func>(func))
        .finally([&guarded] { guarded.leave(); }, where);
}

// The same, but throws gate_closed: for callers that must tell it from the errors of `func`.
template <typename Func>
auto try_with_gate(gate& guarded, Func&& func, code_location where = code_location::current()) {
    guarded.check();
    return with_gate(guarded, std::forward<Func>(func), where);
}

}  // namespace miniss
