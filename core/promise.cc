#include <miniss/core/promise.hh>

namespace miniss {

const char* broken_promise::what() const noexcept {
    return "broken promise: it was destroyed without a result";
}

std::exception_ptr internal::make_broken_promise() noexcept {
    return std::make_exception_ptr(broken_promise());
}

}  // namespace miniss
