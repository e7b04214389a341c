#include <miniss/smp/spawn.hh>

#include <miniss/core/report.hh>

namespace miniss {

void internal::report_detached_failure(const std::string& name, const std::exception_ptr& error,
                                       code_location origin) noexcept {
    if (!is_abort(error)) {
        report_background_failure(name.c_str(), error, origin);
    }
}

bool internal::is_abort(const std::exception_ptr& error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const abort_requested_exception&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace miniss
