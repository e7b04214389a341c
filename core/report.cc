#include <miniss/core/report.hh>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>

#include <miniss/core/location_text.hh>
#include <miniss/core/log.hh>
#include <miniss/core/log_writer.hh>
#include <miniss/core/this_shard.hh>

namespace miniss {

namespace {

std::atomic<unsigned long> ignored_failures{0};

// Where an error came from, and what was running, as the end of a line.
class place_text {
    char _text[300] = "";

public:
    explicit place_text(code_location origin) noexcept {
        const internal::location_text from(origin);
        const internal::location_text in(this_shard == nullptr ? code_location()
                                                               : this_shard->running);
        if (!from.empty() && !in.empty() && std::strcmp(from.c_str(), in.c_str()) != 0) {
            print(" (from %s, in %s)", from.c_str(), in.c_str());
        } else if (!from.empty()) {
            print(" (from %s%s)", from.c_str(), "");
        } else if (!in.empty()) {
            print(" (in %s%s)", in.c_str(), "");
        }
    }
    const char* c_str() const noexcept { return _text; }

private:
    void print(const char* format, const char* first, const char* second) noexcept {
        (void)std::snprintf(_text, sizeof _text, format, first, second);
    }
};

}  // namespace

unsigned long ignored_failure_count() noexcept {
    return ignored_failures.load(std::memory_order_relaxed);
}

void internal::report_ignored_failure(const std::exception_ptr& error,
                                      code_location origin) noexcept {
    ignored_failures.fetch_add(1, std::memory_order_relaxed);
    miniss_log().error("ignored failed future: {}{}", error, place_text(origin).c_str());
}

void internal::report_background_failure(const char* name, const std::exception_ptr& error,
                                         code_location origin) noexcept {
    ignored_failures.fetch_add(1, std::memory_order_relaxed);
    miniss_log().error("failed in background: {}: {}{}", name, error, place_text(origin).c_str());
}

void internal::terminate_for(const std::exception_ptr& error, code_location origin) noexcept {
    write_to_stderr("miniss: must not fail: " + failure_text(error) + place_text(origin).c_str() +
                    '\n');
    std::terminate();
}

void internal::forgive_ignored_failures(unsigned long count) noexcept {
    ignored_failures.fetch_sub(count, std::memory_order_relaxed);
}

}  // namespace miniss
