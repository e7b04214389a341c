#include <miniss/core/semaphore.hh>

namespace miniss {

semaphore::~semaphore() { fail_all(std::make_exception_ptr(broken_semaphore())); }

future<> semaphore::queue_up(std::size_t unit_count, const wait_limit& limit) noexcept {
    if (_broken) {
        return make_exception_future<>(_broken);
    }
    return waiter_queue::wait(code_location::named("semaphore"), unit_count, limit);
}

void semaphore::wake_those_who_fit() noexcept {
    while (!empty() && has(front_wants())) {
        _unit_count -= static_cast<std::ptrdiff_t>(front_wants());
        wake_front();
    }
}

void semaphore::broken(std::exception_ptr error) noexcept {
    _broken = std::move(error);
    _unit_count = 0;
    fail_all(_broken);
}

std::exception_ptr semaphore::timed_out() const noexcept {
    return std::make_exception_ptr(semaphore_timed_out());
}

std::exception_ptr semaphore::aborted() const noexcept {
    return std::make_exception_ptr(semaphore_aborted());
}

std::optional<semaphore_units> try_get_units(semaphore& from, std::size_t unit_count) noexcept {
    if (!from.try_wait(unit_count)) {
        return std::nullopt;
    }
    return semaphore_units(from, unit_count);
}

semaphore_units consume_units(semaphore& from, std::size_t unit_count) noexcept {
    from.consume(unit_count);
    return {from, unit_count};
}

future<semaphore_units> get_units(semaphore& from, std::size_t unit_count, const wait_limit& limit,
                                  code_location where) noexcept {
    return from.wait(limit, unit_count)
        .then([&from, unit_count] { return semaphore_units(from, unit_count); }, where);
}

}  // namespace miniss
