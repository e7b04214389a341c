// A semaphore hands out units and queues those who want more than there are.
#pragma once

#include <miniss/core/do_with.hh>
#include <miniss/core/waiter_queue.hh>

namespace miniss {

// What waiters of a semaphore get after broken().
struct broken_semaphore : std::exception {
    const char* what() const noexcept override { return "semaphore broken"; }
};

// What they get when their time is over, or when they are called off.
struct semaphore_timed_out : timed_out_error {
    const char* what() const noexcept override { return "semaphore timed out"; }
};
struct semaphore_aborted : abort_requested_exception {
    const char* what() const noexcept override { return "semaphore aborted"; }
};

// Strictly first come, first served: who wants few units queues behind who wants many, even if
// there are few left. When one in front gives up, those behind get their turn at once.
//
// Lifetime: waiters that are left when it dies get broken_semaphore.
// Shard:    every call on the shard that created it.
// Cost:     without waiting nothing allocates; each waiter costs one allocation.
class semaphore final : private internal::waiter_queue {
    std::ptrdiff_t _unit_count;
    std::exception_ptr _broken;

public:
    explicit semaphore(std::size_t unit_count) noexcept
        : _unit_count(static_cast<std::ptrdiff_t>(unit_count)) {}
    // Its units move. Nobody may wait for them, nor hold some as semaphore_units.
    semaphore(semaphore&& other) noexcept
        : _unit_count(std::exchange(other._unit_count, 0)), _broken(std::move(other._broken)) {
        MINISS_ASSERT(other.empty());
    }
    semaphore& operator=(semaphore&& other) noexcept {
        MINISS_ASSERT(empty() && other.empty());
        _broken = std::move(other._broken);
        _unit_count = std::exchange(other._unit_count, 0);
        return *this;
    }
    ~semaphore();

    // Ready once `unit_count` units were taken out.
    // Errors: what broken() was called with; std::bad_alloc.
    future<> wait(std::size_t unit_count = 1) noexcept {
        if (try_wait(unit_count)) [[likely]] {
            return make_ready_future<>();
        }
        return queue_up(unit_count, {});
    }

    // The same, but waits no longer than the limit: semaphore_timed_out, or semaphore_aborted, or
    // the reason for which the abort was requested.
    future<> wait(const wait_limit& limit, std::size_t unit_count = 1) noexcept {
        if (try_wait(unit_count)) [[likely]] {
            return make_ready_future<>();
        }
        return queue_up(unit_count, limit);
    }

    // Takes the units out if that is possible without waiting.
    bool try_wait(std::size_t unit_count = 1) noexcept {
        if (!has(unit_count) || !empty()) {
            return false;
        }
        _unit_count -= static_cast<std::ptrdiff_t>(unit_count);
        return true;
    }

    // Puts units in, and wakes as many waiters as they suffice for. Nothing once broken.
    void signal(std::size_t unit_count = 1) noexcept {
        if (_broken) {
            return;
        }
        _unit_count += static_cast<std::ptrdiff_t>(unit_count);
        if (!empty()) {
            wake_those_who_fit();
        }
    }

    // Takes units without asking; available_units() may become negative.
    void consume(std::size_t unit_count = 1) noexcept {
        _unit_count -= static_cast<std::ptrdiff_t>(unit_count);
    }

    // Fails every waiter, now and later, and empties the semaphore.
    void broken(std::exception_ptr error) noexcept;
    void broken() noexcept { broken(std::make_exception_ptr(broken_semaphore())); }

    std::size_t current() const noexcept {
        return _unit_count > 0 ? static_cast<std::size_t>(_unit_count) : 0;
    }
    std::ptrdiff_t available_units() const noexcept { return _unit_count; }
    std::size_t waiters() const noexcept { return size(); }

private:
    bool has(std::size_t unit_count) const noexcept {
        return _unit_count >= static_cast<std::ptrdiff_t>(unit_count);
    }
    future<> queue_up(std::size_t unit_count, const wait_limit& limit) noexcept;
    void wake_those_who_fit() noexcept;

    void waiter_left() noexcept override { wake_those_who_fit(); }
    std::exception_ptr timed_out() const noexcept override;
    std::exception_ptr aborted() const noexcept override;
};

// Units that go back by themselves.
// Lifetime: the semaphore outlives them.
class [[nodiscard]] semaphore_units {
    semaphore* _from = nullptr;
    std::size_t _unit_count = 0;

public:
    semaphore_units() noexcept = default;
    semaphore_units(semaphore& from, std::size_t unit_count) noexcept
        : _from(&from), _unit_count(unit_count) {}
    semaphore_units(semaphore_units&& other) noexcept
        : _from(other._from), _unit_count(other.release()) {}
    semaphore_units& operator=(semaphore_units&& other) noexcept {
        if (this != &other) {
            return_all();
            _from = other._from;
            _unit_count = other.release();
        }
        return *this;
    }
    ~semaphore_units() { return_all(); }

    std::size_t count() const noexcept { return _unit_count; }
    explicit operator bool() const noexcept { return _unit_count != 0; }

    // Gives the units back now.
    void return_all() noexcept {
        if (_unit_count != 0) {
            _from->signal(release());
        }
    }

    // Gives some of them back now, and returns how many are left. Requires as many.
    std::size_t return_units(std::size_t unit_count) noexcept {
        MINISS_ASSERT(unit_count <= _unit_count);
        _unit_count -= unit_count;
        _from->signal(unit_count);
        return _unit_count;
    }

    // Keeps the units out for good; returns how many.
    std::size_t release() noexcept { return std::exchange(_unit_count, 0); }

    // Hands some of them, at most all, to another holder.
    semaphore_units split(std::size_t unit_count) noexcept {
        MINISS_ASSERT(unit_count <= _unit_count);
        _unit_count -= unit_count;
        return {*_from, unit_count};
    }

    // Takes over those of another holder. Requires that both are of the same semaphore.
    void adopt(semaphore_units&& other) noexcept {
        MINISS_ASSERT(_from == other._from);
        _unit_count += other.release();
    }
};

// Units as soon as there are enough, within the limit. Errors: as those of wait().
future<semaphore_units> get_units(semaphore& from, std::size_t unit_count,
                                  const wait_limit& limit = {},
                                  code_location where = code_location::current()) noexcept;

// Units that are there now, if they are.
std::optional<semaphore_units> try_get_units(semaphore& from, std::size_t unit_count) noexcept;

// Units that may not be there: a debt until they go back. See consume().
semaphore_units consume_units(semaphore& from, std::size_t unit_count) noexcept;

// Calls `func` with the units taken out, and puts them back when its future is ready.
// Lifetime: func is kept until then.
// Errors:   as those of wait(), for which the limit counts; it does not count for func.
template <typename Func>
    requires std::invocable<std::decay_t<Func>&>
auto with_semaphore(semaphore& from, std::size_t unit_count, const wait_limit& limit, Func&& func,
                    code_location where = code_location::current()) noexcept {
    return get_units(from, unit_count, limit, where)
        .then(
            [func = std::forward<Func>(func), where](semaphore_units&& units) mutable {
                return internal::invoke_kept(std::move(func))
                    .finally([units = std::move(units)] {}, where);
            },
            where);
}
template <typename Func>
    requires std::invocable<std::decay_t<Func>&>
auto with_semaphore(semaphore& from, std::size_t unit_count, Func&& func,
                    code_location where = code_location::current()) noexcept {
    return with_semaphore(from, unit_count, {}, std::forward<Func>(func), where);
}

}  // namespace miniss
