// What a log line is made of, before it is text: its format and its arguments, of whatever type.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace miniss {
namespace internal {

// How many arguments `format` asks for. Throws, and so does not compile, if its braces are wrong.
consteval std::size_t count_log_arguments(std::string_view format) {
    std::size_t automatic_count = 0;
    std::size_t numbered_count = 0;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '{' && format[i] != '}') {
            continue;
        }
        if (i + 1 < format.size() && format[i + 1] == format[i]) {
            ++i;
            continue;
        }
        if (format[i] == '}') {
            throw "a } without its {; for a brace write }}";
        }
        std::size_t number = 0;
        const std::size_t begin = ++i;
        for (; i < format.size() && format[i] >= '0' && format[i] <= '9'; ++i) {
            number = number * 10 + static_cast<std::size_t>(format[i] - '0');
        }
        automatic_count += i == begin ? 1 : 0;
        if (i != begin && number + 1 > numbered_count) {
            numbered_count = number + 1;
        }
        i = format.find('}', i);
        if (i == std::string_view::npos) {
            throw "a { without its }; for a brace write {{";
        }
    }
    return automatic_count > numbered_count ? automatic_count : numbered_count;
}

template <typename T>
concept has_to_string = requires(const T& value) {
                            { value.to_string() } -> std::convertible_to<std::string>;
                        };
template <typename T>
concept has_free_to_string = requires(const T& value) {
                                 { to_string(value) } -> std::convertible_to<std::string>;
                             };
template <typename T, typename Stream = std::ostream>
concept can_be_streamed = requires(Stream& out, const T& value) { out << value; };

// One argument: a number, a text, or a pointer to a value and the function that makes a text of it.
// Lifetime: what it was made from must outlive it.
class log_argument {
public:
    enum class kind : unsigned char {
        none,
        boolean,
        character,
        integer,
        natural,
        real,
        text,
        pointer,
        failure,
        made,
        streamed,
    };
    struct object {
        const void* value;
        union {
            std::string (*make)(const void* value);
            void (*stream)(std::ostream& out, const void* value);
        };
    };

    log_argument() noexcept : log_argument(kind::none) {}

    template <typename T>
    explicit log_argument(const T& value) noexcept : log_argument(kind::none) {
        if constexpr (std::is_same_v<T, bool>) {
            what = kind::boolean;
            boolean = value;
        } else if constexpr (std::is_same_v<T, char>) {
            what = kind::character;
            character = value;
        } else if constexpr (std::is_integral_v<T>) {
            set_integer(value);
        } else if constexpr (std::is_floating_point_v<T>) {
            what = kind::real;
            real = static_cast<double>(value);
        } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
            what = kind::text;
            text = std::string_view(value);
        } else if constexpr (std::is_same_v<T, std::exception_ptr>) {
            what = kind::failure;
            failure = std::addressof(value);
        } else if constexpr (has_to_string<T> || has_free_to_string<T>) {
            what = kind::made;
            other.value = std::addressof(value);
            other.make = [](const void* self) -> std::string {
                if constexpr (has_to_string<T>) {
                    return static_cast<const T*>(self)->to_string();
                } else {
                    return to_string(*static_cast<const T*>(self));
                }
            };
        } else if constexpr (std::is_enum_v<T>) {
            set_integer(static_cast<std::underlying_type_t<T>>(value));
        } else if constexpr (std::is_null_pointer_v<T> || std::is_pointer_v<T>) {
            what = kind::pointer;
            pointer = value;
        } else {
            static_assert(can_be_streamed<T>, "needs a to_string() or an operator<<");
            what = kind::streamed;
            other.value = std::addressof(value);
            other.stream = [](std::ostream& out, const void* self) {
                out << *static_cast<const T*>(self);
            };
        }
    }

    kind what;
    union {
        bool boolean;
        char character;
        std::int64_t integer;
        std::uint64_t natural;
        double real;
        std::string_view text;
        const void* pointer;
        const std::exception_ptr* failure;
        object other;
    };

private:
    explicit log_argument(kind of) noexcept : what(of), natural(0) {}

    template <typename T>
    void set_integer(T value) noexcept {
        if constexpr (std::is_signed_v<T>) {
            what = kind::integer;
            integer = value;
        } else {
            what = kind::natural;
            natural = value;
        }
    }
};

// "TYPE: TEXT", or only the type if it is no std::exception.
std::string failure_text(const std::exception_ptr& error);

}  // namespace internal

// The format of a log line, a literal.
template <typename... Args>
struct log_format {
    std::string_view text;

    template <typename Text>
        requires std::convertible_to<const Text&, std::string_view>
    consteval log_format(const Text& literal) : text(literal) {
        if (internal::count_log_arguments(text) != sizeof...(Args)) {
            throw "as many arguments as there are {}";
        }
    }
};

}  // namespace miniss
