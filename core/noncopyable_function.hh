// A callable of any type behind one type; move-only, so that it can hold move-only captures.
#pragma once

#include <concepts>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include <miniss/core/assert.hh>

namespace miniss {

template <typename Signature>
class noncopyable_function;

// Cost: callables of up to three pointers that move without throwing need no allocation.
template <typename R, typename... A>
class noncopyable_function<R(A...)> {
    static constexpr std::size_t inline_bytes = 3 * sizeof(void*);

    struct operations {
        R (*call)(void* target, A... args);
        void (*relocate)(void* from, void* to) noexcept;  // Moves and destroys the original.
        void (*destroy)(void* target) noexcept;
    };

    template <typename Func>
    static constexpr bool fits = sizeof(Func) <= inline_bytes && alignof(Func) <= alignof(void*) &&
                                 std::is_nothrow_move_constructible_v<Func>;

    template <typename Func>
    static constexpr operations inline_operations{
        [](void* target, A... args) -> R {
            return (*static_cast<Func*>(target))(std::forward<A>(args)...);
        },
        [](void* from, void* to) noexcept {
            ::new (to) Func(std::move(*static_cast<Func*>(from)));
            static_cast<Func*>(from)->~Func();
        },
        [](void* target) noexcept { static_cast<Func*>(target)->~Func(); },
    };

    template <typename Func>
    static constexpr operations heap_operations{
        [](void* target, A... args) -> R {
            return (**static_cast<Func**>(target))(std::forward<A>(args)...);
        },
        [](void* from, void* to) noexcept { ::new (to) Func*(*static_cast<Func**>(from)); },
        [](void* target) noexcept { delete *static_cast<Func**>(target); },
    };

    alignas(void*) mutable std::byte _storage[inline_bytes];
    const operations* _operations = nullptr;

public:
    noncopyable_function() noexcept = default;

    template <typename Func>
        requires(!std::same_as<std::decay_t<Func>, noncopyable_function> &&
                 std::is_invocable_r_v<R, std::decay_t<Func>&, A...>)
    noncopyable_function(Func&& func) {  // NOLINT: converts, like std::function.
        using target = std::decay_t<Func>;
        if constexpr (fits<target>) {
            ::new (static_cast<void*>(_storage)) target(std::forward<Func>(func));
            _operations = &inline_operations<target>;
        } else {
            ::new (static_cast<void*>(_storage)) target*(new target(std::forward<Func>(func)));
            _operations = &heap_operations<target>;
        }
    }

    noncopyable_function(noncopyable_function&& other) noexcept { move_from(other); }
    noncopyable_function& operator=(noncopyable_function&& other) noexcept {
        if (this != &other) {
            clear();
            move_from(other);
        }
        return *this;
    }
    ~noncopyable_function() { clear(); }

    // Requires that there is a callable.
    R operator()(A... args) const {
        MINISS_ASSERT(_operations != nullptr);
        return _operations->call(_storage, std::forward<A>(args)...);
    }

    explicit operator bool() const noexcept { return _operations != nullptr; }

private:
    void move_from(noncopyable_function& other) noexcept {
        _operations = std::exchange(other._operations, nullptr);
        if (_operations != nullptr) {
            _operations->relocate(other._storage, _storage);
        }
    }
    void clear() noexcept {
        if (const operations* ours = std::exchange(_operations, nullptr)) {
            ours->destroy(_storage);
        }
    }
};

}  // namespace miniss
