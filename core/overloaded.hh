// One callable made of several, for std::visit().
#pragma once

namespace miniss {

template <typename... F>
struct overloaded : F... {
    using F::operator()...;
};
template <typename... F>
overloaded(F...) -> overloaded<F...>;  // clang 14 does not deduce aggregates by itself.

}  // namespace miniss
