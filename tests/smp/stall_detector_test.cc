// What is said of tasks that hold their shard.
#include <miniss/smp/stall_detector.hh>

#include <time.h>

#include <chrono>
#include <memory>
#include <string>

#include <miniss/core/backend_choice.hh>
#include <miniss/core/future.hh>
#include <miniss/core/location_text.hh>
#include <miniss/core/loop.hh>
#include <miniss/smp/runtime.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

// A shard on this thread, under the eyes of a detector. No calls to others.
class watched_shard {
    shard_context _context;
    std::unique_ptr<io_backend> _backend = make_backend(backend_kind::epoll);
    reactor _loop{_context, *_backend};
    timer_service _timers{_loop};
    stall_detector& _detector;

    class body final : public internal::waiting_task<void> {
        noncopyable_function<future<>()> _func;

    public:
        explicit body(noncopyable_function<future<>()> func) : _func(std::move(func)) {}
        void run_and_dispose() noexcept override {
            if (state.pending()) {
                _func().wait_with(*this);
            } else {
                engine().stop();
            }
        }
    };

public:
    explicit watched_shard(stall_detector& detector) : _detector(detector) {}

    void run(noncopyable_function<future<>()> func) {
        body main(std::move(func));
        _loop.schedule(main);
        _detector.watch(_loop);
        _loop.run();
        _detector.ignore(_loop);
        CHECK(main.state.has_value());
        main.state.clear();
    }
};

// Holds the shard until the detector has noticed, or for too long.
void hold(const stall_detector& detector) {
    const auto before = detector.stall_count();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (detector.stall_count() == before && std::chrono::steady_clock::now() < end) {}
}

// The task that holds, which is attached in the line after this one.
constexpr unsigned line_of_attachment = __LINE__ + 3;
future<> hold_later(const stall_detector& detector) {
    promise<> source;
    auto done = source.get_future().then([&detector] { hold(detector); });
    source.set_value();
    return done;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

int count_of(const std::string& part, const std::string& text) {
    int count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("a task that holds its shard is reported with its place and a stack", "[stall]") {
    stall_detector detector({.limit = 10ms});
    watched_shard shard(detector);
    captured_stderr printed;
    shard.run([&detector] { return hold_later(detector); });
    const std::string text = printed.take();
    INFO(text);
    CHECK(has(text, "miniss: shard 0 has been held for "));
    const internal::location_text place(code_location::current(__FILE__, line_of_attachment));
    CHECK(count_of(std::string("by what comes from ") + place.c_str() + '\n', text) == 1);
    CHECK(has(text, "(+0x"));  // A frame, for addr2line.
}

TEST_CASE("a task that blocks its thread is reported too", "[stall]") {
    stall_detector detector({.limit = 10ms});
    watched_shard shard(detector);
    captured_stderr printed;
    shard.run([&detector] {
        return make_ready_future<>()
            .then([] { return sleep(1ms); })
            .then(
                [&detector] {
                    const auto end = std::chrono::steady_clock::now() + patience;
                    while (detector.stall_count() == 0 && std::chrono::steady_clock::now() < end) {
                        timespec while_{.tv_sec = 0, .tv_nsec = 50'000'000};
                        (void)::nanosleep(&while_, nullptr);
                    }
                },
                code_location::named("the sleeper"));
    });
    CHECK(has(printed.take(), "by what comes from the sleeper\n"));
}

TEST_CASE("a shard and its detector end although nobody reads the report", "[stall]") {
    piped_stderr pipe;
    pipe.fill();
    stall_detector detector({.limit = 10ms});
    watched_shard shard(detector);
    shard.run([] {
        const auto end = std::chrono::steady_clock::now() + 200ms;
        while (std::chrono::steady_clock::now() < end) {}
        return make_ready_future<>();
    });
    CHECK(detector.stall_count() == 0);  // None is told yet.
}

TEST_CASE("only so many stalls are reported in a minute, and the others are counted", "[stall]") {
    stall_detector detector({.limit = 5ms, .reports_per_minute = 2});
    watched_shard shard(detector);
    captured_stderr printed;
    shard.run([&detector, left_count = 4]() mutable {
        return repeat([&detector, &left_count] {
            hold(detector);
            return sleep(1ms).then([&left_count] { return stop_iteration(--left_count == 0); });
        });
    });
    CHECK(detector.stall_count() >= 4);  // A busy machine may hold it once more.
    CHECK(detector.report_count() == 2);
    CHECK(count_of("held for", printed.take()) == 2);
}

TEST_CASE("a detector rests while its shards sleep", "[stall]") {
    stall_detector detector({.limit = 2ms});
    watched_shard shard(detector);
    unsigned long looks = 0;
    shard.run([&detector, &looks] {
        return sleep(50ms)
            .then([&detector, &looks] {
                looks = detector.look_count();
                return sleep(300ms);  // Two looks in each limit would be 300.
            })
            .then([&detector, &looks] { looks = detector.look_count() - looks; });
    });
    CHECK(looks <= 10);
}

TEST_CASE("a shard that comes round is not reported, however busy", "[stall]") {
    stall_detector detector({.limit = 500ms});  // On a busy machine others have their turn first.
    watched_shard shard(detector);
    shard.run([&detector] {
        const auto end = std::chrono::steady_clock::now() + patience;
        return do_until(
            [&detector, end] {
                return detector.look_count() >= 5 || std::chrono::steady_clock::now() >= end;
            },
            [] { return make_ready_future<>(); });
    });
    CHECK(detector.look_count() >= 5);
    CHECK(detector.stall_count() == 0);
}

TEST_CASE("a runtime reports stalls unless it is told not to", "[stall][runtime]") {
    const bool reports = GENERATE(true, false);
    captured_stderr printed;
    runtime_options options;
    options.shard_count = 1;
    options.pin = false;
    options.backend = backend_kind::epoll;
    options.stall_limit = std::chrono::milliseconds(reports ? 10 : 0);
    run(options, [&printed, reports] {
        std::string text;
        const auto end = std::chrono::steady_clock::now() + (reports ? patience : 200ms);
        while (!has(text, "held for") && std::chrono::steady_clock::now() < end) {
            text += printed.take();
        }
        CHECK(has(text, "held for") == reports);
        CHECK(has(text, "by what comes from main\n") == reports);
    });
}
