// A program's own options as Seastar's programs write and read them.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace miniss {

// What an option takes, and what it is if it is not given: value<unsigned>(10). T may be what
// app_template::add_option() takes; value<bool>() is a flag.
template <typename T>
struct option_value {
    T initial{};

    option_value& default_value(T given) {
        initial = std::move(given);
        return *this;
    }
};
// What add_options() takes, see option_value.
template <typename T>
option_value<T> value(T initial = T()) {
    return {std::move(initial)};
}

// The values of the options that were made by app_template::add_options().
class app_configuration {
    // Each type has one; which one says which type it is.
    template <typename T>
    static constexpr char type_mark = 0;

    struct entry {
        std::shared_ptr<void> value;
        const char* type;
    };
    std::map<std::string, entry> _entries;

public:
    // One option, whose type is told when it is read.
    class option {
        const entry& _entry;

    public:
        explicit option(const entry& of) noexcept : _entry(of) {}

        // Throws std::invalid_argument if the option was made with another type.
        template <typename T>
        const T& as() const {
            if (_entry.type != &type_mark<T>) {
                throw std::invalid_argument("the option is of another type");
            }
            return *static_cast<const T*>(_entry.value.get());
        }
    };

    // By its long name without the dashes. Throws std::out_of_range if there is none.
    option operator[](const std::string& name) const { return option(_entries.at(name)); }

    // For app_template: a place for the value.
    template <typename T>
    T& add(const std::string& name, T initial) {
        auto place = std::make_shared<T>(std::move(initial));
        _entries.insert_or_assign(name, entry{place, &type_mark<T>});
        return *place;
    }
};

}  // namespace miniss
