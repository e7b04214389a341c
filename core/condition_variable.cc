#include <miniss/core/condition_variable.hh>

namespace miniss {

condition_variable::~condition_variable() { broken(); }

future<> condition_variable::wait(const wait_limit& limit) noexcept {
    if (is_aborted(limit)) {
        return make_exception_future<>(limit.source()->get_exception());
    }
    if (std::exchange(_signalled, false)) {
        return make_ready_future<>();
    }
    if (_broken) {
        return make_exception_future<>(_broken);
    }
    return waiter_queue::wait(code_location::named("condition variable"), 0, limit);
}

void condition_variable::signal() noexcept {
    if (empty()) {
        _signalled = true;
    } else {
        wake_front();
    }
}

void condition_variable::broken(std::exception_ptr error) noexcept {
    _broken = std::move(error);
    fail_all(_broken);
}

void condition_variable::broken() noexcept {
    broken(std::make_exception_ptr(broken_condition_variable()));
}

std::exception_ptr condition_variable::timed_out() const noexcept {
    return std::make_exception_ptr(condition_variable_timed_out());
}

}  // namespace miniss
