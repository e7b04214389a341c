// Log lines of shards: none is lost on the way out, and nobody waits for who reads them.
#include <miniss/core/log.hh>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include <miniss/core/dump_tasks.hh>
#include <miniss/smp/smp.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/smp/tested_shards.hh>

using namespace miniss;

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

// Without end, but for the compiler.
unsigned fill_stack(unsigned depth) {
    volatile unsigned char frame[4096];
    frame[depth % sizeof frame] = static_cast<unsigned char>(depth);
    return depth == ~0U ? 0 : fill_stack(depth + 1) + frame[depth % sizeof frame];
}

// At once: before the log has been written by itself.
void overflow_stack() {
    const rlimit small{256 * 1024, RLIM_INFINITY};
    ::setrlimit(RLIMIT_STACK, &small);
    (void)fill_stack(0);
}

// What the lines of a process say that ends with `signal`, or, if that is 0, by exit().
std::string last_words(int signal, const std::function<void()>& end) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);  // So that much is left to write.
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        for (const int number : {SIGABRT, SIGSEGV, SIGILL}) {
            std::signal(number, SIG_DFL);  // Catch2 has its own handlers.
        }
        ::dup2(ends[1], STDERR_FILENO);
        run(tested_shards(1), [&end] {
            static logger log("dying");
            for (int i = 0; i < 1000; ++i) {
                log.info("{:0>150} end", i);
            }
            end();
        });
    }
    ::close(ends[1]);
    std::string said;
    char piece[4096];
    for (ssize_t count = 1; count > 0;) {
        count = ::read(ends[0], piece, sizeof piece);
        said.append(piece, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK((signal == 0 ? WIFEXITED(status) : WIFSIGNALED(status)));
    CHECK((signal == 0 || WTERMSIG(status) == signal));
    return said;
}

}  // namespace

TEST_CASE("when run() returns, all that shards have said is on stderr, line by line", "[log]") {
    static logger log("chatter");
    captured_stderr printed;
    run(tested_shards(2), [] {
        return smp::invoke_on_all([] {
            for (int i = 0; i < 500; ++i) {
                log.info("{} {} end", this_shard_id(), i);
            }
        });
    });
    const std::string said = printed.take();
    CHECK(count_of(said, "\n") == 1000);
    for (unsigned shard : {0u, 1u}) {
        std::size_t at = 0;
        for (int i = 0; i < 500 && at != std::string::npos; ++i) {
            at = said.find("[shard " + std::to_string(shard) + "] chatter - " +
                               std::to_string(shard) + " " + std::to_string(i) + " end\n",
                           at);
        }
        CHECK(at != std::string::npos);
    }
}

// If a shard waited for the pipe, this would never end: only after it has said everything somebody
// begins to read.
TEST_CASE("a shard does not wait for stderr, and what is lost is counted", "[log]") {
    static logger log("flood");
    constexpr std::size_t line_count = 5000;
    piped_stderr pipe;
    std::string said;
    std::thread reader;
    run(tested_shards(1), [&] {
        for (std::size_t i = 0; i < line_count; ++i) {
            log.info("{:0>100}", i);
        }
        reader = std::thread([&] { said = pipe.read_all(); });
    });
    pipe.close_writing_end();
    reader.join();
    const std::size_t arrived_count = count_of(said, "] flood - ");
    CHECK(arrived_count > 1000);
    CHECK(arrived_count < line_count);
    std::size_t lost_count = 0;
    for (std::size_t at = said.find("] log - "); at != std::string::npos;
         at = said.find("] log - ", at + 1)) {
        lost_count += std::stoul(said.substr(at + 8));
    }
    CHECK(arrived_count + lost_count == line_count);
}

// If the shard waited for the pipe, which the log has filled, this would never end.
TEST_CASE("dump_tasks() does not wait for stderr", "[log][dump]") {
    static logger log("filler");
    piped_stderr pipe;
    std::string said;
    std::thread reader;
    run(tested_shards(1), [&] {
        for (int i = 0; i < 1000; ++i) {
            log.info("{:0>100}", i);
        }
        dump_tasks();
        reader = std::thread([&] { said = pipe.read_all(); });
    });
    pipe.close_writing_end();
    reader.join();
    CHECK(count_of(said, "tasks wait, ") == 1);
}

TEST_CASE("run() ends although nobody ever reads its log", "[log]") {
    static logger log("unheard");
    const piped_stderr pipe;
    run(tested_shards(1), [] {
        for (int i = 0; i < 2000; ++i) {
            log.info("{:0>100}", i);
        }
    });
}

TEST_CASE("a process that ends in the middle writes its log first", "[log]") {
    const auto is_whole = [](const std::string& said) {
        return count_of(said, "] dying - ") == 1000 && said.find("999 end\n") != said.npos;
    };
    CHECK(is_whole(last_words(0, [] { std::exit(3); })));
    CHECK(is_whole(last_words(SIGABRT, [] { std::abort(); })));
    CHECK(is_whole(last_words(SIGSEGV, [] { (void)::raise(SIGSEGV); })));
    CHECK(is_whole(last_words(SIGILL, [] { __builtin_trap(); })));
    CHECK(is_whole(last_words(SIGSEGV, [] { overflow_stack(); })));
}

TEST_CASE("signals that kill do again what they did before once run() has returned", "[log]") {
    const auto action_of = [](int number) {
        struct sigaction now {};
        ::sigaction(number, nullptr, &now);
        return now.sa_flags;
    };
    const int before = action_of(SIGBUS);
    const auto own = [](int) {};
    const auto catch2 = std::signal(SIGFPE, own);
    run(tested_shards(1), [&] {
        struct sigaction now {};
        ::sigaction(SIGFPE, nullptr, &now);
        CHECK(now.sa_handler == static_cast<void (*)(int)>(own));  // Left alone.
    });
    std::signal(SIGFPE, catch2);
    CHECK(action_of(SIGBUS) == before);
}
