// A set of request methods.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include <miniss/net/http/method.hh>

namespace miniss::http {

class method_set {
    std::uint16_t _bits = 0;

    static constexpr std::uint16_t bit_of(method verb) noexcept {
        return static_cast<std::uint16_t>(1U << static_cast<unsigned>(verb));
    }

public:
    constexpr method_set() noexcept = default;
    constexpr method_set(std::initializer_list<method> methods) noexcept {
        for (const method each : methods) {
            add(each);
        }
    }
    // What a resource can be asked for, so not CONNECT.
    static constexpr method_set all() noexcept {
        return {method::get,     method::head,    method::post,  method::put,
                method::delete_, method::options, method::trace, method::patch};
    }

    constexpr void add(method verb) noexcept {
        _bits = static_cast<std::uint16_t>(_bits | bit_of(verb));
    }
    constexpr void add(method_set others) noexcept {
        _bits = static_cast<std::uint16_t>(_bits | others._bits);
    }
    constexpr bool contains(method verb) const noexcept { return (_bits & bit_of(verb)) != 0; }
    constexpr bool empty() const noexcept { return _bits == 0; }

    // As an Allow field lists them (RFC 9110 10.2.1).
    std::string to_string() const;
};

}  // namespace miniss::http
