// Log lines: who says what, and how important it is.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <miniss/core/log_argument.hh>

namespace miniss {

// From the most to the least important.
enum class log_level : unsigned char { error, warn, info, debug, trace };

// Its name as it is written in the code.
const char* to_string(log_level level) noexcept;
// The inverse of to_string().
std::optional<log_level> parse_log_level(std::string_view name) noexcept;

// A part of a program that has something to say:
//
//     static logger log("cache");
//     log.info("{} of {} entries dropped", dropped_count, entry_count);
//
//     INFO  2026-11-25T19:44:47.123Z [shard 0] cache - 3 of 90 entries dropped
//
// The format is that of std::format; how many arguments it needs is checked when it is compiled,
// and whether they fit when the line is made: if not, the line tells of that instead. Beside
// numbers, text and pointers it takes an exception_ptr, whatever has a to_string() or can be
// written to a std::ostream, and enumerations. Times are UTC. A line is a line, whatever text is
// quoted in it: control bytes, such as line breaks, appear as \x0a.
//
// On a shard of run() a line goes to a buffer of that shard, and a thread of its own brings it to
// stderr: a shard never waits for who reads that. If the buffer (256 KiB) is full, the line is
// lost; how many were, is told once there is room again. Elsewhere the caller writes it. The
// buffers are emptied before run() returns, unless nobody reads for a second. If the process ends
// before that, by std::exit(), an assertion or an exception that nobody catches, std::abort() or a
// crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL), that waits for up to a second until what was logged
// before is written. Lost is what is in the buffers when it is killed by another signal or calls
// _exit(), and at a crash whose signal the program has a handler of its own for.
//
// Lifetime: may be used until its destruction. Usually `static`, or a member of what it speaks of.
// Shard:    any thread, the level too.
// Errors:   none: what cannot be logged is lost.
// Cost:     a level that is off: one load. Otherwise about a microsecond.
class logger {
    std::string _name;
    std::atomic<log_level> _level;
    logger* _next = nullptr;

public:
    // Has the level of all loggers, or what set_logger_level() said of this name.
    explicit logger(std::string name);
    ~logger();
    logger(const logger&) = delete;
    logger& operator=(const logger&) = delete;

    const std::string& name() const noexcept { return _name; }
    log_level level() const noexcept { return _level.load(std::memory_order_relaxed); }
    void set_level(log_level level) noexcept { _level.store(level, std::memory_order_relaxed); }
    bool is_enabled(log_level level) const noexcept { return level <= this->level(); }

    template <typename... Args>
    void log(log_level level, log_format<std::type_identity_t<Args>...> format,
             const Args&... args) noexcept {
        if (is_enabled(level)) {
            const internal::log_argument list[] = {internal::log_argument(args)..., {}};
            write(level, format.text, list, sizeof...(args));
        }
    }
    template <typename... Args>
    void error(log_format<std::type_identity_t<Args>...> format, const Args&... args) noexcept {
        log<Args...>(log_level::error, format, args...);
    }
    template <typename... Args>
    void warn(log_format<std::type_identity_t<Args>...> format, const Args&... args) noexcept {
        log<Args...>(log_level::warn, format, args...);
    }
    template <typename... Args>
    void info(log_format<std::type_identity_t<Args>...> format, const Args&... args) noexcept {
        log<Args...>(log_level::info, format, args...);
    }
    template <typename... Args>
    void debug(log_format<std::type_identity_t<Args>...> format, const Args&... args) noexcept {
        log<Args...>(log_level::debug, format, args...);
    }
    template <typename... Args>
    void trace(log_format<std::type_identity_t<Args>...> format, const Args&... args) noexcept {
        log<Args...>(log_level::trace, format, args...);
    }

private:
    friend struct log_registry;
    void write(log_level level, std::string_view format, const internal::log_argument* arguments,
               std::size_t count) noexcept;
};

// Of every logger that is there and of those to come; info to begin with. Any thread.
void set_all_loggers_level(log_level level);
// Of the loggers of that name, now and later. Any thread.
void set_logger_level(const std::string& name, log_level level);
// In alphabetical order. Any thread.
std::vector<std::string> logger_names();

namespace internal {

// What miniss itself has to say. Never destroyed.
logger& miniss_log() noexcept;

}  // namespace internal
}  // namespace miniss
