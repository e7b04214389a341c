// Virtual time: it stands still until the world moves it on.
#pragma once

#include <functional>
#include <queue>
#include <vector>

#include <miniss/core/io_backend.hh>

namespace miniss::sim {

class sim_clock {
    using time_point = steady_clock::time_point;

    time_point _start = time_point(std::chrono::hours(1));
    time_point _now = _start;
    std::priority_queue<time_point, std::vector<time_point>, std::greater<>> _moments;

public:
    time_point now() const noexcept { return _now; }

    // The world begins on 2024-02-29 at 23:59:50 GMT.
    system_clock::time_point time_of_day() const noexcept {
        return system_clock::time_point(std::chrono::seconds(1'709'251'190)) +
               std::chrono::duration_cast<system_clock::duration>(_now - _start);
    }

    // The moment in `delay` from now. The world will stop there, to see what has happened.
    time_point in(std::chrono::nanoseconds delay) {
        const time_point moment = _now + delay;
        if (moment > _now) {
            _moments.push(moment);
        }
        return moment;
    }

    // The next moment that in() gave; max() if there is none.
    time_point next_moment() noexcept {
        while (!_moments.empty() && _moments.top() <= _now) {
            _moments.pop();
        }
        return _moments.empty() ? time_point::max() : _moments.top();
    }

    void advance_to(time_point moment) noexcept { _now = std::max(_now, moment); }
};

}  // namespace miniss::sim
