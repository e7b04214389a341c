// Objects that tell tests when they are copied or destroyed, and how deep the stack is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace miniss {

// Adds a letter to a trace when the last of those it was moved to is destroyed.
class destruction_note {
    std::string* _trace;
    char _letter;

public:
    destruction_note(std::string& trace, char letter) noexcept : _trace(&trace), _letter(letter) {}
    destruction_note(destruction_note&& other) noexcept
        : _trace(std::exchange(other._trace, nullptr)), _letter(other._letter) {}
    destruction_note& operator=(destruction_note&&) = delete;
    ~destruction_note() {
        if (_trace != nullptr) {
            *_trace += _letter;
        }
    }
};

struct copy_count {
    int copies = 0;
};

// Counts how often it was copied.
class copy_tracked {
    copy_count* _count;

public:
    explicit copy_tracked(copy_count& count) noexcept : _count(&count) {}
    copy_tracked(const copy_tracked& other) noexcept : _count(other._count) { ++_count->copies; }
    copy_tracked(copy_tracked&& other) noexcept = default;
    copy_tracked& operator=(copy_tracked&&) = default;
};

// The distance between the highest and the lowest stack frame that asked.
class stack_depth {
    std::uintptr_t _lowest = std::numeric_limits<std::uintptr_t>::max();
    std::uintptr_t _highest = 0;

public:
    void measure() noexcept {
        const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        _lowest = std::min(_lowest, here);
        _highest = std::max(_highest, here);
    }
    std::size_t range_bytes() const noexcept { return _highest - _lowest; }
};

}  // namespace miniss
