// Work that goes on by itself, and a handle to wait for it or to call it off.
#pragma once

#include <memory>
#include <string>

#include <miniss/core/abort_source.hh>
#include <miniss/smp/smp.hh>

namespace miniss {

// How a task stands, or how it has ended.
enum class task_outcome {
    running,
    finished,   // It has given its value.
    failed,     // With an error of its own.
    cancelled,  // With abort_requested_exception, or one derived from it, after cancel().
};

namespace internal {

// Reports what a task whose handle is gone has failed with, unless it was only aborted, as by the
// end of its shard.
void report_detached_failure(const std::string& name, const std::exception_ptr& error,
                             code_location origin) noexcept;
bool is_abort(const std::exception_ptr& error) noexcept;

// What a task and its handle share. Lives on the shard that spawned it; only the abort_source is
// used on the task's own, until the task's last message has come home.
template <typename T>
struct spawned {
    std::string name;
    unsigned shard;
    abort_source abort = {};
    promise<T> result = {};
    task_outcome outcome = task_outcome::running;
    bool cancel_asked = false;
    bool joined = false;
    bool detached = false;

    void end(future<T>&& ended) noexcept {
        if (!ended.failed()) {
            outcome = task_outcome::finished;
            ended.forward_to(std::move(result));
            return;
        }
        auto error = ended.get_exception();
        outcome = cancel_asked && is_abort(error) ? task_outcome::cancelled : task_outcome::failed;
        if (!detached) {
            result.set_exception(std::move(error), ended.origin());
        } else {
            report_detached_failure(name, error, ended.origin());
        }
    }
};

}  // namespace internal

// Lifetime: dropping it lets the task go on by itself. If that fails and nobody has joined it, the
//           error is reported under the task's name, unless the task was aborted.
// Shard:    the one that spawned the task, wherever that runs.
template <typename T>
class [[nodiscard]] join_handle {
    std::shared_ptr<internal::spawned<T>> _task;
    future<T> _result;

public:
    explicit join_handle(std::shared_ptr<internal::spawned<T>> task) noexcept
        : _task(std::move(task)),
          _result(_task->result.get_future(code_location::named("spawned task"))) {}
    join_handle(join_handle&&) noexcept = default;
    join_handle& operator=(join_handle&& other) noexcept {
        detach();
        _task = std::move(other._task);
        _result = std::move(other._result);
        return *this;
    }
    ~join_handle() { detach(); }

    // What the task gives, once it has ended. At most once.
    future<T> join() noexcept {
        _task->joined = true;
        return std::move(_result);
    }

    // Requests an abort from the abort_source that the task got. It ends when it heeds that.
    void cancel() noexcept {
        if (std::exchange(_task->cancel_asked, true)) {
            return;
        }
        run_in_background(
            "cancel", smp::submit_to(_task->shard, [task = _task]() noexcept {
                          task->abort.request_abort();
                      }).handle_exception([](const std::exception_ptr&) {}));  // It has stopped.
    }

    // Cancels, and waits until the task has ended. Its value, if it has one by then, is dropped.
    // Errors: those of the task that are its own. At most once, and instead of join().
    future<> stop() noexcept {
        cancel();
        return join().then_wrapped([task = _task](future<T> ended) {
            if (task->outcome == task_outcome::cancelled) {
                ended.ignore_ready_future();
                return make_ready_future<>();
            }
            return ended.discard_result();
        });
    }

    task_outcome outcome() const noexcept { return _task->outcome; }
    const std::string& name() const noexcept { return _task->name; }

private:
    void detach() noexcept {
        if (_task == nullptr || _task->joined) {
            return;
        }
        _task->detached = true;
        if (_result.available() && _result.failed()) {
            internal::report_detached_failure(_task->name, _result.get_exception(),
                                              _result.origin());
        }
    }
};

// How a task is to run: task_builder().name("sweep").shard(2).spawn(func).
class task_builder {
    std::string _name = "task";
    unsigned _shard = this_shard_id();

public:
    task_builder& name(std::string name) noexcept {
        _name = std::move(name);
        return *this;
    }
    task_builder& shard(unsigned shard) noexcept {
        _shard = shard;
        return *this;
    }

    // Calls func(abort_source&) or func(), at once if it is for this shard.
    // Lifetime: func is kept until its future is ready; it is used by reference on its shard, and
    //           dies here.
    // Errors:   as smp::submit_to().
    // Cost:     the allocations of smp::submit_to(), and two.
    template <typename Func>
    auto spawn(Func&& func, code_location where = code_location::current()) {
        constexpr bool takes_source = std::is_invocable_v<std::decay_t<Func>&, abort_source&>;
        auto call = [](std::decay_t<Func>& called, [[maybe_unused]] abort_source& abort) {
            if constexpr (takes_source) {
                return futurize_invoke(called, abort);
            } else {
                return futurize_invoke(called);
            }
        };
        using result =
            decltype(call(std::declval<std::decay_t<Func>&>(), std::declval<abort_source&>()));
        using value = typename result::value_type;
        auto task = std::make_shared<internal::spawned<value>>(
            internal::spawned<value>{.name = _name, .shard = _shard});
        join_handle<value> handle(task);
        abort_source& abort = task->abort;
        (void)smp::submit_to(
            _shard,
            [func = std::forward<Func>(func), call, &abort]() mutable { return call(func, abort); },
            where)
            .then_wrapped([task](result ended) noexcept { task->end(std::move(ended)); }, where);
        return handle;
    }
};

// Calls func(abort_source&) or func() on this shard and lets its future go on by itself.
template <typename Func>
auto spawn(Func&& func, code_location where = code_location::current()) {
    return task_builder().spawn(std::forward<Func>(func), where);
}

}  // namespace miniss
