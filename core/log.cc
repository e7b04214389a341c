#include <miniss/core/log.hh>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <miniss/core/log_line.hh>
#include <miniss/core/log_writer.hh>

namespace miniss {

namespace {

constexpr const char* level_names[] = {"error", "warn", "info", "debug", "trace"};

}  // namespace

// All loggers, and what they are told. Never destroyed, since loggers may be destroyed late.
struct log_registry {
    std::mutex mutex;
    logger* first = nullptr;
    log_level level = log_level::info;
    std::map<std::string, log_level, std::less<>> levels;

    static log_registry& get() {
        static log_registry& registry = *new log_registry;
        return registry;
    }

    void add(logger& added) {
        const std::lock_guard lock(mutex);
        const auto found = levels.find(added._name);
        added.set_level(found == levels.end() ? level : found->second);
        added._next = std::exchange(first, &added);
    }

    void remove(logger& removed) {
        const std::lock_guard lock(mutex);
        logger** place = &first;
        while (*place != &removed) {
            place = &(*place)->_next;
        }
        *place = removed._next;
    }

    template <typename Func>
    void for_each(Func func) {
        for (logger* each = first; each != nullptr; each = each->_next) {
            func(*each);
        }
    }
};

const char* to_string(log_level level) noexcept {
    return level_names[static_cast<std::size_t>(level)];
}

std::optional<log_level> parse_log_level(std::string_view name) noexcept {
    const auto* found = std::find(std::begin(level_names), std::end(level_names), name);
    if (found == std::end(level_names)) {
        return {};
    }
    return static_cast<log_level>(found - std::begin(level_names));
}

logger::logger(std::string name) : _name(std::move(name)), _level(log_level::info) {
    log_registry::get().add(*this);
}

logger::~logger() { log_registry::get().remove(*this); }

void logger::write(log_level level, std::string_view format,
                   const internal::log_argument* arguments, std::size_t count) noexcept {
    try {
        internal::bring_to_stderr(
            internal::make_log_line(to_string(level), _name, format, arguments, count));
    } catch (...) {
        // No memory for the line: it is lost, as the header says.
    }
}

void set_all_loggers_level(log_level level) {
    auto& registry = log_registry::get();
    const std::lock_guard lock(registry.mutex);
    registry.level = level;
    registry.levels.clear();
    registry.for_each([level](logger& each) { each.set_level(level); });
}

void set_logger_level(const std::string& name, log_level level) {
    auto& registry = log_registry::get();
    const std::lock_guard lock(registry.mutex);
    registry.levels[name] = level;
    registry.for_each([&name, level](logger& each) {
        if (each.name() == name) {
            each.set_level(level);
        }
    });
}

std::vector<std::string> logger_names() {
    auto& registry = log_registry::get();
    const std::lock_guard lock(registry.mutex);
    std::set<std::string> names;
    registry.for_each([&names](logger& each) { names.insert(each.name()); });
    return {names.begin(), names.end()};
}

logger& internal::miniss_log() noexcept {
    static logger& log = *new logger("miniss");
    return log;
}

}  // namespace miniss
