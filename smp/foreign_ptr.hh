// A pointer that may travel to other shards, while what it points to is freed at home.
#pragma once

#include <cstddef>
#include <memory>

#include <miniss/smp/smp.hh>

namespace miniss {

// Owns an object through a Pointer (std::unique_ptr, std::shared_ptr and the like) that was made on
// one shard, its home, and may only be copied and destroyed there. Wherever the foreign_ptr itself
// is destroyed, the Pointer is on its home shard: over there in the background, here at once. A
// runtime does not end before all of these have arrived.
//
// Other shards may read through it what does not change meanwhile.
//
// Lifetime: dies on a shard, unless it is empty.
// Cost:     moving is free; freeing from elsewhere is a call to the home shard.
template <typename Pointer>
class foreign_ptr {
    Pointer _value{};
    unsigned _home = this_shard == nullptr ? 0 : this_shard_id();

public:
    using pointer = Pointer;
    using element_type = typename std::pointer_traits<Pointer>::element_type;

    foreign_ptr() noexcept = default;
    foreign_ptr(std::nullptr_t) noexcept {}
    // At home.
    foreign_ptr(Pointer value) noexcept : _value(std::move(value)) {}
    foreign_ptr(foreign_ptr&& other) noexcept
        : _value(std::exchange(other._value, Pointer())), _home(other._home) {}
    foreign_ptr& operator=(foreign_ptr&& other) noexcept {
        if (this != &other) {
            reset();
            _value = std::exchange(other._value, Pointer());
            _home = other._home;
        }
        return *this;
    }
    ~foreign_ptr() { reset(); }

    element_type& operator*() const noexcept { return *_value; }
    element_type* operator->() const noexcept { return &*_value; }
    element_type* get() const noexcept { return _value ? &*_value : nullptr; }
    explicit operator bool() const noexcept { return static_cast<bool>(_value); }

    unsigned get_owner_shard() const noexcept { return _home; }

    // Another one, to be freed by itself. *this must live until the future is ready.
    future<foreign_ptr> copy() const noexcept
        requires std::copy_constructible<Pointer>
    {
        return smp::submit_to(_home, [this] { return foreign_ptr(Pointer(_value)); });
    }

    // Gives the Pointer away. Only its home shard may destroy it.
    Pointer release() noexcept { return std::exchange(_value, Pointer()); }

    // The Pointer itself, at home.
    Pointer& unwrap_on_owner_shard() noexcept {
        MINISS_ASSERT(_home == this_shard_id());
        return _value;
    }

    // Frees the object at home, and is ready when that is done.
    future<> destroy() noexcept { return free_at_home(release(), _home); }

    // The same in the background.
    void reset() noexcept {
        if (_value) {
            run_in_background("foreign_ptr", destroy());
        }
    }
    void reset(std::nullptr_t) noexcept { reset(); }
    // And holds another object from now on. At its home.
    void reset(Pointer value) noexcept { *this = foreign_ptr(std::move(value)); }

    friend bool operator==(const foreign_ptr& one, const foreign_ptr& other) noexcept {
        return one.get() == other.get();
    }
    friend bool operator==(const foreign_ptr& one, std::nullptr_t) noexcept { return !one; }

private:
    // The callable dies on our shard, so the pointer must leave it over there.
    static future<> free_at_home(Pointer value, unsigned home) noexcept {
        if (!value) {
            return make_ready_future<>();
        }
        MINISS_ASSERT(this_shard != nullptr);  // Otherwise nobody can send it home.
        return smp::submit_to(home, [value = std::move(value)]() mutable {
            const Pointer freed_here = std::move(value);
            value = Pointer();
        });
    }
};

// A foreign_ptr to what is at home on this shard.
template <typename Pointer>
foreign_ptr<Pointer> make_foreign(Pointer value) noexcept {
    return foreign_ptr<Pointer>(std::move(value));
}

}  // namespace miniss
