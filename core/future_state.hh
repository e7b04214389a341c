// The cell that carries a result from a promise to a future or a continuation.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include <miniss/core/assert.hh>
#include <miniss/core/code_location.hh>

namespace miniss::internal {

// Stands in for void, so that there is always a value to store.
struct unit {};

template <typename T>
using stored = std::conditional_t<std::is_void_v<T>, unit, T>;

// pending -> value | error -> taken. Nothing leaves `taken`.
//
// While it is pending it knows what the result will come from, and with an error where that came
// from; who has a value no longer asks.
template <typename T>
class future_state {
    static_assert(std::is_nothrow_move_constructible_v<stored<T>> &&
                      std::is_nothrow_destructible_v<stored<T>>,
                  "a future moves its value from hand to hand: its type needs a move "
                  "constructor and a destructor that are noexcept");

    enum class status : unsigned char { pending, value, error, taken };
    using value_type = stored<T>;

    union {
        value_type _value;
        std::exception_ptr _error;
    };
    [[no_unique_address]] code_location _origin;
    status _status = status::pending;

public:
    future_state() noexcept {}
    explicit future_state(code_location origin) noexcept : _origin(origin) {}
    future_state(future_state&& other) noexcept { move_from(other); }
    future_state& operator=(future_state&& other) noexcept {
        if (this != &other) {
            clear();
            move_from(other);
        }
        return *this;
    }
    ~future_state() { destroy(); }

    bool pending() const noexcept { return _status == status::pending; }
    bool has_value() const noexcept { return _status == status::value; }
    bool failed() const noexcept { return _status == status::error; }
    bool available() const noexcept { return has_value() || failed(); }
    bool taken() const noexcept { return _status == status::taken; }

    const code_location& origin() const noexcept { return _origin; }
    void set_origin(const code_location& origin) noexcept { _origin = origin; }

    template <typename... A>
    void set_value(A&&... args) {
        MINISS_ASSERT(pending());
        ::new (static_cast<void*>(&_value)) value_type(std::forward<A>(args)...);
        _status = status::value;
    }

    // `origin` is where the error came from, if what the result was to come from is not known.
    void set_error(std::exception_ptr&& error, code_location origin = {}) noexcept {
        MINISS_ASSERT(pending());
        MINISS_ASSERT(error != nullptr);
        if (!_origin.known()) {
            _origin = origin;
        }
        ::new (static_cast<void*>(&_error)) std::exception_ptr(std::move(error));
        _status = status::error;
    }

    // Takes over a result that is there.
    void receive(future_state&& result) noexcept {
        MINISS_ASSERT(pending());
        move_from(result);
    }

    const value_type& value() const noexcept {
        MINISS_ASSERT(has_value());
        return _value;
    }

    value_type take_value() noexcept {
        MINISS_ASSERT(has_value());
        value_type value = std::move(_value);
        clear();
        return value;
    }

    const std::exception_ptr& error() const noexcept {
        MINISS_ASSERT(failed());
        return _error;
    }

    std::exception_ptr take_error() noexcept {
        MINISS_ASSERT(failed());
        std::exception_ptr error = std::move(_error);
        clear();
        return error;
    }

    // Destroys what is inside; the cell is spent.
    void clear() noexcept {
        destroy();
        _status = status::taken;
    }

private:
    void destroy() noexcept {
        if (_status == status::value) {
            _value.~value_type();
        } else if (_status == status::error) [[unlikely]] {
            _error.~exception_ptr();
        }
    }

// g++ 12 does not see that _status guards the union where everything is inlined into one function
// and a sanitizer watches.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
    void move_from(future_state& other) noexcept {
        if (other._status == status::value) {
            ::new (static_cast<void*>(&_value)) value_type(std::move(other._value));
        } else {
            _origin = other._origin;
            if (other._status == status::error) [[unlikely]] {
                ::new (static_cast<void*>(&_error)) std::exception_ptr(std::move(other._error));
            }
        }
        _status = other._status;
        other.clear();
    }
#ifndef __clang__
#pragma GCC diagnostic pop
#endif
};

}  // namespace miniss::internal
