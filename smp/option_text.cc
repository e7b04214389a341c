#include <miniss/smp/option_text.hh>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace miniss::internal {

namespace {

struct time_unit {
    std::string_view name;
    std::chrono::milliseconds length;
};
constexpr time_unit time_units[] = {
    {"ms", std::chrono::milliseconds(1)},
    {"s", std::chrono::seconds(1)},
    {"m", std::chrono::minutes(1)},
    {"h", std::chrono::hours(1)},
};

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& wanted) {
    throw std::runtime_error(option + ": \"" + text + "\" is not a " + wanted);
}

template <typename T>
std::string describe_numbers() {
    if constexpr (std::is_integral_v<T>) {
        return "number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
               std::to_string(std::numeric_limits<T>::max());
    }
    return "number";
}

}  // namespace

template <typename T>
T read_number(const std::string& option, const std::string& text) {
    T number{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || !std::isfinite(static_cast<double>(number))) {
        refuse(option, text, describe_numbers<T>());
    }
    return number;
}
template int read_number(const std::string& option, const std::string& text);
template unsigned read_number(const std::string& option, const std::string& text);
template std::uint16_t read_number(const std::string& option, const std::string& text);
template std::uint64_t read_number(const std::string& option, const std::string& text);
template double read_number(const std::string& option, const std::string& text);

std::chrono::milliseconds read_time(const std::string& option, const std::string& text) {
    std::int64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    const std::string_view unit_name(stop, static_cast<std::size_t>(end - stop));
    for (const time_unit& unit : time_units) {
        if (error == std::errc() && count >= 0 && unit.name == unit_name &&
            count <= std::chrono::milliseconds::max().count() / unit.length.count()) {
            return count * unit.length;
        }
    }
    refuse(option, text, "time such as 500ms, 2s, 1m or 1h");
}

std::string format_time(std::chrono::milliseconds time) {
    const time_unit* best = &time_units[0];
    for (const time_unit& unit : time_units) {
        if (time % unit.length == std::chrono::milliseconds::zero()) {
            best = &unit;
        }
    }
    return std::to_string(time / best->length) + std::string(best->name);
}

}  // namespace miniss::internal
