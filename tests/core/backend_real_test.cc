// What only the real backends have: limits of the kernel, threads, other kinds of files.
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <miniss/core/backend_choice.hh>
#include <miniss/core/uring_buffer_ring.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/core/tested_backend.hh>

using namespace miniss;

namespace {

// Of an io_uring; epoll has no such limit, but must do the same.
constexpr std::size_t buffer_count = internal::uring_buffer_ring::buffer_count;
constexpr std::size_t buffers_bytes = buffer_count * internal::uring_buffer_ring::buffer_bytes;

bool is_uring(tested_backend& backend) { return backend->name() == std::string_view("io_uring"); }

void allow_many_descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Readers of more connections than there are buffers, and the other ends.
struct crowd {
    std::vector<recorder*> received;
    std::vector<int> writers;

    explicit crowd(tested_backend& backend) {
        allow_many_descriptors();
        for (std::size_t i = 0; i < buffer_count * 5 / 4; ++i) {
            const auto [reader, writer] = backend.unix_pair();
            received.push_back(&backend.start(receive_op{reader}));
            writers.push_back(writer);
        }
        backend.settle();
    }

    // To all of them, behind the backend's back.
    void write_to_all(std::string_view bytes) {
        for (const int writer : writers) {
            REQUIRE(::write(writer, bytes.data(), bytes.size()) ==
                    static_cast<ssize_t>(bytes.size()));
        }
    }
};

}  // namespace

TEST_CASE("a reader that keeps more buffers than there are starves nobody", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto [greedy_socket, greedy_writer] = backend.tcp_pair();
    const auto [modest_socket, modest_writer] = backend.tcp_pair();
    recorder& greedy = backend.start(receive_op{greedy_socket});
    recorder& modest = backend.start(receive_op{modest_socket});
    greedy.keeps_buffers = true;
    const std::string piece(50'000, 'x');
    for (std::size_t i = 0; greedy.bytes.size() < 2 * buffers_bytes; ++i) {
        REQUIRE(backend.send(greedy_writer, piece) == 50'000);
        backend.run_until([&] { return greedy.bytes.size() == (i + 1) * piece.size(); });
        backend.send(modest_writer, "y");
        backend.run_until([&] { return modest.bytes.size() == i + 1; });
    }
    CHECK(greedy.kept.size() > 64);
    const bool intact = std::all_of(greedy.kept.begin(), greedy.kept.end(), [](const auto& kept) {
        return kept.view().find_first_not_of('x') == std::string_view::npos;
    });
    CHECK(intact);
    greedy.kept.clear();
    backend.send(greedy_writer, "z");
    backend.run_until([&] { return greedy.bytes.back() == 'z'; });
}

TEST_CASE("many small pieces that are kept starve nobody", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto [reader, writer] = backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    received.keeps_buffers = true;
    for (std::size_t i = 1; i <= 2 * buffer_count; ++i) {
        backend.send(writer, "x");
        backend.run_until([&] { return received.bytes.size() == i; });
    }
    CHECK(received.kept.size() == 2 * buffer_count);
    if (is_uring(backend)) {
        const pool_statistics found = backend->pools().at(0);
        CHECK(found.piece_count == buffer_count);
        CHECK(found.held_count() == buffer_count / 4 * 3);
        CHECK(found.held_count_max == buffer_count / 4 * 3 + 1);
        CHECK(found.taken_count == 2 * buffer_count);
        CHECK(found.missed_count == buffer_count * 5 / 4);
        CHECK(found.starved_count == 0);
    }
    received.kept.clear();
    CHECK((!is_uring(backend) || backend->pools().at(0).held_count() == 0));
}

// Goal: the receives of one batch find no buffer, as none of the earlier ones is taken note of
// before all have begun.
TEST_CASE("receives that find no buffer are counted, and begin again", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    std::vector<recorder*> received;
    std::vector<int> readers;
    allow_many_descriptors();
    for (std::size_t i = 0; i < buffer_count * 5 / 4; ++i) {
        const auto [reader, writer] = backend.unix_pair();
        REQUIRE(::write(writer, "x", 1) == 1);
        readers.push_back(reader);
    }
    for (const int reader : readers) {
        received.push_back(&backend.start(receive_op{reader}));
    }
    const auto has_all = [](const recorder* each) { return each->bytes == "x"; };
    backend.run_until([&] { return std::all_of(received.begin(), received.end(), has_all); });
    CHECK((!is_uring(backend) || backend->pools().at(0).starved_count > 0));
}

TEST_CASE("more connections than there are buffers may receive at the same moment", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    crowd readers(backend);
    const bool keep = GENERATE(false, true);
    for (recorder* each : readers.received) {
        each->keeps_buffers = keep;
    }
    for (std::size_t round = 1; round <= 3; ++round) {
        readers.write_to_all("0123456789");
        const auto has_all = [round](const recorder* each) {
            return each->bytes.size() == round * 10;
        };
        backend.run_until(
            [&] { return std::all_of(readers.received.begin(), readers.received.end(), has_all); });
    }
    CHECK(backend->operations_in_flight() == readers.received.size());
}

TEST_CASE("receives that found no buffer can be cancelled, or see the end", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    crowd readers(backend);
    const bool cancel = GENERATE(false, true);
    bool first = true;
    for (recorder* each : readers.received) {
        each->then = [&] {  // The first that gets anything ends all.
            for (recorder* other : readers.received) {
                if (first && cancel) {
                    backend->cancel(*other);
                }
            }
            first = false;
        };
    }
    readers.write_to_all("x");
    for (const int writer : readers.writers) {
        if (!cancel) {
            backend.close(writer);
        }
    }
    backend.run_until([&] { return backend->operations_in_flight() == 0; });
    std::size_t byte_count = 0;
    for (recorder* each : readers.received) {
        each->then = [] {};
        byte_count += each->bytes.size();
        CHECK(each->last() == (cancel ? -ECANCELED : 0));
    }
    CHECK((cancel || byte_count == readers.received.size()));
}

TEST_CASE("a receive can be cancelled while its peer sends all the time", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto [reader, writer] = GENERATE(false, true) ? backend.tcp_pair() : backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    std::atomic<bool> stop = false;
    std::thread peer([&stop, socket = writer] {  // Like another process: it never waits for us.
        const std::string bytes(1000, 'x');
        while (!stop) {
            (void)::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    });
    for (int i = 0; i < 20; ++i) {
        received.bytes.clear();
        backend.run_until([&] { return received.bytes.size() > 100'000; });
        backend->cancel(received);
        backend.finish(received);
        CHECK(received.last() == -ECANCELED);
        received.done = false;
        backend->submit(receive_op{reader}, received);
    }
    stop = true;
    peer.join();
}

TEST_CASE("a receive can be cancelled in a burst, although its peer is silent from then on",
          "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const bool tcp = GENERATE(false, true);
    const std::string piece(1000, 'x');
    for (int round = 0; round < 60; ++round) {
        const auto [reader, writer] = tcp ? backend.tcp_pair() : backend.unix_pair();
        recorder& received = backend.start(receive_op{reader});
        std::thread peer([&piece, round, socket = writer] {
            for (int i = 0; i < round * 4; ++i) {
                (void)::send(socket, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            }
        });
        backend.run_until(
            [&] { return received.bytes.size() >= static_cast<std::size_t>(round) * 100; });
        backend->cancel(received);
        backend.finish(received);
        peer.join();
        CHECK(received.last() == -ECANCELED);
        backend.close(reader);
        backend.close(writer);
    }
}

TEST_CASE("a waiter may die while a cancel of its complete operation is under way", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    for (int round = 0; round < 100; ++round) {
        const auto [reader, writer] = backend.unix_pair();
        auto received = std::make_unique<recorder>();
        backend->submit(receive_op{reader}, *received);
        backend.settle();
        backend.close(writer);  // The end is there, but has not been seen.
        backend->cancel(*received);
        backend.finish(*received);
        CHECK((received->last() == 0 || received->last() == -ECANCELED));
        received.reset();
        backend.close(reader);
    }
    backend.settle();
    CHECK(backend->operations_in_flight() == 0);
}

TEST_CASE("cancelling what is complete never reaches back to its waiter", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto [reader, writer] = backend.unix_pair();
    auto received = std::make_unique<recorder>();
    backend->submit(receive_op{reader}, *received);
    backend.close(writer);
    backend.finish(*received);
    backend->cancel(*received);
    received.reset();
    backend.settle();
    CHECK(!backend->poll());  // Nothing is asked again and again.
}

TEST_CASE("wake() from another thread ends a wait without deadline", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    for (int i = 0; i < 200; ++i) {
        std::thread other([&] { backend->wake(); });
        backend->wait_until(steady_clock::time_point::max());
        other.join();
    }
    SUCCEED("it did not hang");
}

TEST_CASE("a signal may come during a wait, which goes on or ends early", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto before = std::signal(SIGUSR1, [](int) {});
    const auto waiting = ::pthread_self();
    for (int i = 0; i < 100; ++i) {
        std::thread other([&] {
            ::pthread_kill(waiting, SIGUSR1);
            backend->wake();
        });
        backend->wait_until(backend->now() + std::chrono::seconds(20));
        other.join();
    }
    std::signal(SIGUSR1, before);
    const auto [reader, writer] = backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    backend.send(writer, "still alive");
    backend.run_until([&] { return received.bytes == "still alive"; });
}

TEST_CASE("waking and I/O do not hide each other", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto [reader, writer] = backend.unix_pair();
    recorder& received = backend.start(receive_op{reader});
    for (std::size_t i = 1; i <= 1000; ++i) {
        std::size_t wake_count = i % 3;
        while (wake_count-- > 0) {
            backend->wake();
        }
        REQUIRE(::write(writer, "x", 1) == 1);
        backend.run_until([&] { return received.bytes.size() == i; });
    }
}

TEST_CASE("a readable_op waits for files of any kind", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    SECTION("an eventfd") {
        const int event = backend.keep(::eventfd(0, EFD_CLOEXEC));
        recorder& readable = backend.start(readable_op{event});
        backend.settle();
        CHECK(!readable.done);
        const std::uint64_t one = 1;
        REQUIRE(::write(event, &one, sizeof one) == sizeof one);
        backend.finish(readable);
        CHECK(readable.last() >= 0);
    }
    SECTION("a pipe whose writer goes away") {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        backend.keep(ends[0]);
        recorder& readable = backend.start(readable_op{ends[0]});
        backend.settle();
        CHECK(!readable.done);
        ::close(ends[1]);
        backend.finish(readable);
        CHECK(readable.last() >= 0);
    }
}

TEST_CASE("a writable_op waits until there is room, and can be cancelled", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto [reader, writer] = backend.unix_pair();
    backend.finish(backend.start(writable_op{writer}));
    const std::string piece(10'000, 'x');
    while (::send(writer, piece.data(), piece.size(), MSG_DONTWAIT) > 0) {}
    recorder& writable = backend.start(writable_op{writer});
    backend.settle();
    REQUIRE(!writable.done);
    SECTION("there is room again") {
        recorder& received = backend.start(receive_op{reader});
        backend.finish(writable);
        CHECK(writable.last() >= 0);
        CHECK(received.last() > 0);
    }
    SECTION("cancelled") {
        backend->cancel(writable);
        backend.finish(writable);
        CHECK(writable.last() == -ECANCELED);
    }
}

TEST_CASE("a descriptor number that is used again is a new one", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    for (int i = 0; i < 100; ++i) {
        const auto [reader, writer] = backend.tcp_pair();
        recorder& received = backend.start(receive_op{reader});
        if (i % 2 == 0) {
            backend.send(writer, "x");
            backend.run_until([&] { return !received.bytes.empty(); });
        }
        backend->cancel(received);
        backend.finish(received);
        backend.close(writer);
        backend.close(reader);
    }
}

TEST_CASE("a thousand operations may be submitted at once, and cancelled", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    std::vector<recorder*> waiting;
    for (int i = 0; i < 400; ++i) {
        const auto [first, second] = backend.unix_pair();
        waiting.push_back(&backend.start(receive_op{first}));
        waiting.push_back(&backend.start(receive_op{second}));
    }
    CHECK(backend->operations_in_flight() == 800);
    for (recorder* each : waiting) {
        backend->cancel(*each);
    }
    backend.run_until([&] { return backend->operations_in_flight() == 0; });
    for (const recorder* each : waiting) {
        CHECK(each->values == std::vector<int>{-ECANCELED});
    }
}

TEST_CASE("the time of day is about right", "[backend]") {
    tested_backend backend(GENERATE(from_range(tested_backend::real_names())));
    const auto difference = system_clock::now() - backend->time_of_day();
    CHECK(difference >= std::chrono::milliseconds(-50));
    CHECK(difference < std::chrono::seconds(5));
}

TEST_CASE("choose_backend() takes what was asked for, or what the kernel allows", "[backend]") {
    CHECK(choose_backend(backend_kind::epoll).kind == backend_kind::epoll);
    CHECK(choose_backend(backend_kind::epoll).why_not_io_uring.empty());
    const auto chosen = choose_backend(backend_kind::automatic);
    CHECK((chosen.kind == backend_kind::io_uring) == chosen.why_not_io_uring.empty());
    CHECK(make_backend(chosen.kind)->name() ==
          std::string(chosen.kind == backend_kind::io_uring ? "io_uring" : "epoll"));
}
