// A semaphore hands out units and queues those who want more than there are.
#pragma once

#include <boost/intrusive/slist.hpp>

#include <miniss/core/do_with.hh>

namespace miniss {

// What waiters of a semaphore get after broken().
struct broken_semaphore : std::exception {
    const char* what() const noexcept override { return "semaphore broken"; }
};

// Strictly first come, first served: who wants few units queues behind who wants many, even if
// there are few left.
//
// Lifetime: waiters that are left when it dies get broken_semaphore.
// Shard:    every call on the shard that created it.
// Cost:     without waiting nothing allocates; each waiter costs one allocation.
class semaphore {
    struct waiter : boost::intrusive::slist_base_hook<
                        boost::intrusive::link_mode<boost::intrusive::normal_link>> {
        std::size_t unit_count;
        promise<> ready;
        explicit waiter(std::size_t count) noexcept : unit_count(count) {}
    };
    using waiter_queue = boost::intrusive::slist<waiter, boost::intrusive::cache_last<true>,
                                                 boost::intrusive::constant_time_size<true>>;

    std::ptrdiff_t _unit_count;
    waiter_queue _waiters;
    std::exception_ptr _broken;

public:
    explicit semaphore(std::size_t unit_count) noexcept
        : _unit_count(static_cast<std::ptrdiff_t>(unit_count)) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore() { fail_waiters(std::make_exception_ptr(broken_semaphore())); }

    // Ready once `unit_count` units were taken out.
    // Errors: what broken() was called with.
    future<> wait(std::size_t unit_count = 1) noexcept {
        if (may_take(unit_count)) {
            _unit_count -= static_cast<std::ptrdiff_t>(unit_count);
            return make_ready_future<>();
        }
        if (_broken) {
            return make_exception_future<>(_broken);
        }
        auto* queued = new waiter(unit_count);
        _waiters.push_back(*queued);
        return queued->ready.get_future();
    }

    // Takes the units out if that is possible without waiting.
    bool try_wait(std::size_t unit_count = 1) noexcept {
        if (!may_take(unit_count)) {
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
        while (!_waiters.empty() && has(_waiters.front().unit_count)) {
            waiter& next = _waiters.front();
            _waiters.pop_front();
            _unit_count -= static_cast<std::ptrdiff_t>(next.unit_count);
            next.ready.set_value();
            delete &next;
        }
    }

    // Takes units without asking; available_units() may become negative.
    void consume(std::size_t unit_count = 1) noexcept {
        _unit_count -= static_cast<std::ptrdiff_t>(unit_count);
    }

    // Fails every waiter, now and later, and empties the semaphore.
    void broken(std::exception_ptr error) noexcept {
        _broken = std::move(error);
        _unit_count = 0;
        fail_waiters(_broken);
    }
    void broken() noexcept { broken(std::make_exception_ptr(broken_semaphore())); }

    std::size_t current() const noexcept {
        return _unit_count > 0 ? static_cast<std::size_t>(_unit_count) : 0;
    }
    std::ptrdiff_t available_units() const noexcept { return _unit_count; }
    std::size_t waiters() const noexcept { return _waiters.size(); }

private:
    bool has(std::size_t unit_count) const noexcept {
        return _unit_count >= static_cast<std::ptrdiff_t>(unit_count);
    }
    bool may_take(std::size_t unit_count) const noexcept {
        return has(unit_count) && _waiters.empty();
    }
    void fail_waiters(const std::exception_ptr& error) noexcept {
        _waiters.clear_and_dispose([&error](waiter* queued) {
            queued->ready.set_exception(error);
            delete queued;
        });
    }
};

// Units that go back by themselves.
class semaphore_units {
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

    // Gives the units back now.
    void return_all() noexcept {
        if (_unit_count != 0) {
            _from->signal(release());
        }
    }

    // Keeps the units out for good; returns how many.
    std::size_t release() noexcept { return std::exchange(_unit_count, 0); }
};

inline future<semaphore_units> get_units(semaphore& from, std::size_t unit_count) noexcept {
    return from.wait(unit_count).then([&from, unit_count] {
        return semaphore_units(from, unit_count);
    });
}

// Calls `func` with the units taken out, and puts them back when its future is ready.
// Lifetime: func is kept until then.
template <typename Func>
auto with_semaphore(semaphore& from, std::size_t unit_count, Func&& func) noexcept {
    return get_units(from, unit_count)
        .then([func = std::forward<Func>(func)](semaphore_units&& units) mutable {
            return internal::invoke_kept(std::move(func)).finally([units = std::move(units)] {});
        });
}

}  // namespace miniss
