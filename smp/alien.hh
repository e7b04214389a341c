// Calls to shards from threads that are no shards.
#pragma once

#include <future>

#include <miniss/smp/outside_letter.hh>
#include <miniss/smp/smp.hh>

namespace miniss::alien {

// What a caller gets while no runtime runs: before main is called, and as soon as it has ended.
struct not_running : std::exception {
    const char* what() const noexcept override { return "no shards are running"; }
};

namespace internal {

// Has the letter run on a shard; from then on it belongs to that one.
// Errors: not_running; the letter is the caller's still.
void send(unsigned shard, miniss::internal::outside_letter& letter);

// The same for one that is to be made.
template <typename Letter>
void send(unsigned shard, std::unique_ptr<Letter> letter) {
    send(shard, static_cast<miniss::internal::outside_letter&>(*letter));
    (void)letter.release();
}

template <typename Func>
class errand final : public miniss::internal::outside_letter {
    Func _func;

public:
    explicit errand(Func&& func) : _func(std::move(func)) {}
    explicit errand(const Func& func) : _func(func) {}

    void run_and_dispose() noexcept override {
        run_in_background("alien::run_on", miniss::internal::invoke_kept(std::move(_func)));
        delete this;
    }
};

template <typename T, typename Func>
class call final : public miniss::internal::outside_letter {
    Func _func;
    std::promise<T> _result;

public:
    explicit call(Func&& func) : _func(std::move(func)) {}
    explicit call(const Func& func) : _func(func) {}
    std::future<T> get_future() { return _result.get_future(); }

    void run_and_dispose() noexcept override {
        miniss::internal::answer_when_ready<T>(*this, futurize_invoke(_func));
    }

    // The callable dies before the caller can see the result.
    void answer(miniss::internal::future_state<T>&& result) noexcept {
        std::promise<T> target = std::move(_result);
        delete this;
        if (result.failed()) {
            target.set_exception(result.take_error());
        } else if constexpr (std::is_void_v<T>) {
            target.set_value();
        } else {
            target.set_value(result.take_value());
        }
    }
};

}  // namespace internal

// Calls func() on a shard of the runtime that runs in this process, and does not wait for it. What
// it fails with is reported.
//
// Calls that were taken run also when main has ended in the meantime; then no further ones are
// taken. Calls of one thread to one shard begin in their order.
//
// Lifetime: func is moved (or copied) here and destroyed on the shard.
// Shard:    any thread.
// Errors:   throws not_running.
// Cost:     one allocation; wakes the shard if it sleeps. Never waits.
template <typename Func>
void run_on(unsigned shard, Func&& func) {
    using letter = internal::errand<std::decay_t<Func>>;
    internal::send(shard, std::make_unique<letter>(std::forward<Func>(func)));
}

// The same with a result: what func returns, what the future gives that it returns, or an error.
// submit_to(...).get() waits for it.
//
// Shard:  any thread that is not a shard, as a shard must not wait in this way: smp::submit_to() is
//         for them.
// Errors: throws not_running. In the std::future: what func throws or its future fails with;
//         shard_stopped if main has ended and the future can no longer become ready.
template <typename Func>
auto submit_to(unsigned shard, Func&& func) {
    using result = futurize_t<std::invoke_result_t<std::decay_t<Func>&>>;
    using letter = internal::call<typename result::value_type, std::decay_t<Func>>;
    MINISS_ASSERT(this_shard == nullptr);
    auto sent = std::make_unique<letter>(std::forward<Func>(func));
    auto answer = sent->get_future();
    internal::send(shard, std::move(sent));
    return answer;
}

}  // namespace miniss::alien
