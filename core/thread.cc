#include <miniss/core/thread.hh>

#include <cxxabi.h>

#include <boost/context/fiber.hpp>
#include <cstring>
#include <utility>

#include <miniss/core/fiber.hh>
#include <miniss/core/stack_switch.hh>

namespace miniss {

namespace {

// The exceptions that are being thrown or handled: each stack has its own, or a fiber that waits
// in a catch block would meet those of the others.
class exceptions_in_flight {
    struct {
        void* caught = nullptr;
        unsigned uncaught_count = 0;
    } _saved;  // As the C++ ABI for Itanium lays out __cxa_eh_globals.

public:
    void swap_with_current() noexcept {
        void* const current = abi::__cxa_get_globals();
        auto mine = _saved;
        std::memcpy(&_saved, current, sizeof _saved);
        std::memcpy(current, &mine, sizeof mine);
    }
};

// Stacks are ours: they stay when Boost is done with them.
struct stack_keeper {
    void deallocate(boost::context::stack_context&) noexcept {}
};

class context_fiber final : public internal::fiber {
    using context = boost::context::fiber;

    internal::stack_memory _stack;
    internal::stack_switch _switch;
    exceptions_in_flight _exceptions;
    noncopyable_function<void()> _body;
    internal::fiber* _interrupted = nullptr;  // Who made it run, if that was a fiber too.
    context _inside;                          // While it is suspended, where it goes on.
    context _outside;                         // While it runs, where it came from.

public:
    context_fiber(internal::stack_memory stack, noncopyable_function<void()> body) noexcept
        : _stack(stack), _body(std::move(body)) {
        boost::context::stack_context place;
        place.sp = stack.top();
        place.size = stack.size_bytes;
        _inside =
            context(std::allocator_arg, boost::context::preallocated(place.sp, place.size, place),
                    stack_keeper(), [this](context&& outside) { return run(std::move(outside)); });
    }

    // Lets it run until it waits or ends; then it deletes itself.
    void run_and_dispose() noexcept override {
        _interrupted = std::exchange(this_shard->running_fiber, this);
        _exceptions.swap_with_current();
        _switch.before_entering(_stack);
        _inside = std::move(_inside).resume();
        const bool has_ended = !_inside;
        _switch.after_leaving(_stack, has_ended);
        _exceptions.swap_with_current();
        this_shard->running_fiber = _interrupted;
        if (has_ended) {
            this_shard->stacks.give_back(_stack);
            delete this;
        }
    }

    void suspend() noexcept override {
        _switch.before_leaving(false);
        _outside = std::move(_outside).resume();
        _switch.after_entering();
    }

private:
    context run(context&& outside) noexcept {
        _switch.after_entering();
        _outside = std::move(outside);
        _body();
        _body = {};
        _switch.before_leaving(true);
        return std::move(_outside);
    }
};

}  // namespace

void internal::start_fiber(const thread_attributes& attributes, noncopyable_function<void()> body) {
    MINISS_ASSERT(this_shard != nullptr);  // Fibers run on shards.
    const stack_memory stack = this_shard->stacks.take(attributes.stack_size);
    context_fiber* made;
    try {
        made = new context_fiber(stack, std::move(body));
    } catch (...) {
        this_shard->stacks.give_back(stack);
        throw;
    }
    made->run_and_dispose();
}

bool thread::running_in_thread() noexcept { return internal::runs_in_fiber(); }

void thread::yield() noexcept {
    MINISS_ASSERT(running_in_thread());
    internal::fiber& running = *this_shard->running_fiber;
    schedule(running);
    running.suspend();
}

}  // namespace miniss
