// Where a fixed number of threads wait for each other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace miniss::internal {

// Each thread brings a yes or no, and all of them leave with the same answer: did anybody say yes?
// For starting and stopping only: whoever waits here is blocked.
class rendezvous {
    std::mutex _lock;
    std::condition_variable _complete;
    unsigned _expected_count;
    unsigned _arrived_count = 0;
    unsigned long _round = 0;
    bool _any = false;
    bool _answer = false;

public:
    explicit rendezvous(unsigned thread_count) : _expected_count(thread_count) {}

    // Waits for the others. True if any thread came with true. If that lasts beyond `deadline`,
    // late() is called, which returns when to call it again.
    template <typename Late>
    bool any(bool mine, std::chrono::steady_clock::time_point deadline, Late&& late) {
        std::unique_lock held(_lock);
        _any |= mine;
        ++_arrived_count;
        if (_arrived_count == _expected_count) {
            finish_round();
            return _answer;
        }
        const unsigned long round = _round;
        while (!_complete.wait_until(held, deadline, [this, round] { return _round != round; })) {
            held.unlock();
            deadline = late();
            held.lock();
        }
        return _answer;  // No later round ends without us.
    }

    // For threads that will never come, as they could not be started. Counts as a yes.
    void expect_fewer(unsigned missing_count) {
        const std::lock_guard held(_lock);
        _any = true;
        _expected_count -= missing_count;
        if (_arrived_count == _expected_count) {
            finish_round();
        }
    }

private:
    void finish_round() {
        _answer = _any;
        _any = false;
        _arrived_count = 0;
        ++_round;
        _complete.notify_all();
    }
};

}  // namespace miniss::internal
