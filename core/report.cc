#include <miniss/core/report.hh>

#include <cxxabi.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <typeinfo>

namespace miniss {

namespace {

std::atomic<unsigned long> ignored_failures{0};

// Prints one line: what, the exception's type and its text if it has one.
void print_failure(const char* what, const char* name, const std::exception_ptr& error) noexcept {
    const std::type_info* type = error.__cxa_exception_type();
    int status = -1;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        type == nullptr ? nullptr : abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
        &std::free);
    const char* type_name = status == 0 ? readable.get() : "an exception of unknown type";
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "miniss: %s%s: %s: %s\n", what, name, type_name, e.what());
    } catch (...) {
        std::fprintf(stderr, "miniss: %s%s: %s\n", what, name, type_name);
    }
}

}  // namespace

unsigned long ignored_failure_count() noexcept {
    return ignored_failures.load(std::memory_order_relaxed);
}

void internal::report_ignored_failure(const std::exception_ptr& error) noexcept {
    ignored_failures.fetch_add(1, std::memory_order_relaxed);
    print_failure("ignored failed future", "", error);
}

void internal::report_background_failure(const char* name,
                                         const std::exception_ptr& error) noexcept {
    ignored_failures.fetch_add(1, std::memory_order_relaxed);
    print_failure("failed in background: ", name, error);
}

void internal::forgive_ignored_failures(unsigned long count) noexcept {
    ignored_failures.fetch_sub(count, std::memory_order_relaxed);
}

}  // namespace miniss
