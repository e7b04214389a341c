#include <miniss/core/log_line.hh>

// Compiled in here, so that nobody else needs it: neither our users' compiler nor their linker.
#define FMT_HEADER_ONLY
#include <fmt/args.h>

#include <cxxabi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <typeinfo>

#include <miniss/core/reactor.hh>

namespace miniss::internal {

namespace {

using argument_store = fmt::dynamic_format_arg_store<fmt::format_context>;

std::string text_of(const log_argument::object& streamed) {
    std::ostringstream out;
    streamed.stream(out, streamed.value);
    return std::move(out).str();
}

void add(argument_store& store, const log_argument& argument) {
    switch (argument.what) {
    case log_argument::kind::none:
        return;
    case log_argument::kind::boolean:
        return store.push_back(argument.boolean);
    case log_argument::kind::character:
        return store.push_back(argument.character);
    case log_argument::kind::integer:
        return store.push_back(argument.integer);
    case log_argument::kind::natural:
        return store.push_back(argument.natural);
    case log_argument::kind::real:
        return store.push_back(argument.real);
    case log_argument::kind::text:
        return store.push_back(std::cref(argument.text));
    case log_argument::kind::pointer:
        return store.push_back(argument.pointer);
    case log_argument::kind::failure:
        return store.push_back(failure_text(*argument.failure));
    case log_argument::kind::made:
        return store.push_back(argument.other.make(argument.other.value));
    case log_argument::kind::streamed:
        return store.push_back(text_of(argument.other));
    }
}

std::string format_time(std::chrono::system_clock::time_point time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<milliseconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

bool is_control(char letter) noexcept {
    const auto byte = static_cast<unsigned char>(letter);
    return byte < 0x20 || byte == 0x7f;
}

// Whoever is quoted in a line can neither forge another one nor make a terminal do things.
std::string without_controls(std::string text) {
    if (std::none_of(text.begin(), text.end(), is_control)) {
        return text;
    }
    std::string escaped;
    for (const char letter : text) {
        if (is_control(letter)) {
            escaped += fmt::format("\\x{:02x}", static_cast<unsigned>(letter));
        } else {
            escaped += letter;
        }
    }
    return escaped;
}

std::string make_message(std::string_view format, const log_argument* arguments,
                         std::size_t count) {
    try {
        argument_store store;
        for (std::size_t i = 0; i < count; ++i) {
            add(store, arguments[i]);
        }
        return fmt::vformat(fmt::string_view(format.data(), format.size()), store);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (...) {
        return fmt::format("cannot format \"{}\": {}", format,
                           failure_text(std::current_exception()));
    }
}

}  // namespace

std::string make_log_line(std::string_view level, std::string_view name, std::string_view format,
                          const log_argument* arguments, std::size_t count) {
    const bool on_shard = this_shard != nullptr && this_shard->loop != nullptr;
    const auto now = on_shard ? this_shard->loop->backend().time_of_day() : system_clock::now();
    const std::string place = on_shard ? fmt::format("shard {}", this_shard->id) : "no shard";
    std::string line = fmt::format("{:<5} {} [{}] ", level, format_time(now), place);
    for (char& letter : line) {
        if (letter == ' ') {
            break;
        }
        letter = static_cast<char>(letter - 'a' + 'A');
    }
    line.append(name).append(" - ");
    line += without_controls(make_message(format, arguments, count));
    if (line.size() >= log_line_bytes_max) {
        line.resize(log_line_bytes_max - 4);
        line += "...";
    }
    line += '\n';
    return line;
}

std::string failure_text(const std::exception_ptr& error) {
    if (error == nullptr) {
        return "no exception";
    }
    const std::type_info* type = error.__cxa_exception_type();
    int status = -1;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        type == nullptr ? nullptr : abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
        &std::free);
    std::string text = status == 0 ? readable.get() : "an exception of unknown type";
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& known) {
        return text + ": " + known.what();
    } catch (...) {
        return text;
    }
}

}  // namespace miniss::internal
