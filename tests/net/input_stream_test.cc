// Tests of input_stream: however the bytes are cut into pieces, the user gets what he asked for.
#include <miniss/core/iostream.hh>

#include <deque>
#include <stdexcept>

#include <miniss/core/loop.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>
#include <miniss/timer/sleep.hh>

using namespace miniss;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view text = "abcdefghijkl";

// Gives the pieces that it was made of, then the end, or else an error.
class scripted_source final : public data_source {
    std::deque<std::string> _pieces;
    bool _waits;  // Nothing is ready at once.
    bool _fails;
    bool _ended = false;

public:
    scripted_source(std::deque<std::string> pieces, bool waits, bool fails = false)
        : _pieces(std::move(pieces)), _waits(waits), _fails(fails) {}

    future<temporary_buffer<char>> get() override {
        return (_waits ? sleep(1us) : make_ready_future<>()).then([this] { return next(); });
    }
    future<> close() override { return make_ready_future<>(); }

private:
    temporary_buffer<char> next() {
        if (!_pieces.empty()) {
            const std::string piece = _pieces.front();
            _pieces.pop_front();
            return temporary_buffer<char>(piece.data(), piece.size());
        }
        MINISS_ASSERT(!_ended);  // Nobody may ask behind the end.
        _ended = true;
        if (_fails) {
            throw std::runtime_error("broken");
        }
        return {};
    }
};

input_stream<char> stream_of(std::deque<std::string> pieces, bool waits, bool fails = false) {
    return input_stream<char>(std::make_unique<scripted_source>(std::move(pieces), waits, fails));
}

// All ways to cut `text` into up to three pieces, and into single bytes.
std::vector<std::deque<std::string>> all_cuts() {
    std::vector<std::deque<std::string>> cuts;
    for (std::size_t first = 1; first < text.size(); ++first) {
        for (std::size_t second = first + 1; second <= text.size(); ++second) {
            std::deque<std::string> pieces{std::string(text.substr(0, first)),
                                           std::string(text.substr(first, second - first))};
            if (second != text.size()) {
                pieces.emplace_back(text.substr(second));
            }
            cuts.push_back(std::move(pieces));
        }
    }
    cuts.push_back({std::string(text)});
    cuts.emplace_back();
    for (const char each : text) {
        cuts.back().emplace_back(1, each);
    }
    return cuts;
}

// Calls body(stream, text) for every way to cut, with pieces that are there and that come late.
template <typename Body>
void for_each_cut(bool fails, Body body) {
    test_shard shard;
    for (const auto& pieces : all_cuts()) {
        for (const bool waits : {false, true}) {
            auto stream = stream_of(pieces, waits, fails);
            shard.run([&] { return body(stream); });
        }
    }
}

future<std::string> read_rest(input_stream<char>& stream) {
    auto rest = std::make_unique<std::string>();
    auto& into = *rest;
    return repeat([&stream, &into] {
               return stream.read().then([&into](temporary_buffer<char>&& piece) {
                   into.append(piece.view());
                   return piece.empty() ? stop_iteration::yes : stop_iteration::no;
               });
           })
        .then([rest = std::move(rest)] { return std::move(*rest); });
}

}  // namespace

TEST_CASE("read() gives the pieces as they came", "[input_stream]") {
    test_shard shard;
    const bool waits = GENERATE(false, true);
    auto stream = stream_of({"ab", "c"}, waits);
    CHECK_FALSE(stream.eof());
    CHECK(shard.run([&] { return stream.read(); }).view() == "ab");
    CHECK(shard.run([&] { return stream.read(); }).view() == "c");
    CHECK_FALSE(stream.eof());
    CHECK(shard.run([&] { return stream.read(); }).empty());
    CHECK(stream.eof());
    CHECK(shard.run([&] { return stream.read(); }).empty());  // The source is not asked again.
}

TEST_CASE("read_exactly() gives one piece of that size wherever the bytes are cut",
          "[input_stream]") {
    for (std::size_t size = 0; size <= text.size(); ++size) {
        for_each_cut(false, [size](input_stream<char>& stream) {
            return stream.read_exactly(size)
                .then([size, &stream](temporary_buffer<char>&& first) {
                    REQUIRE(first.view() == text.substr(0, size));
                    return read_rest(stream);
                })
                .then([size](const std::string& rest) { REQUIRE(rest == text.substr(size)); });
        });
    }
}

TEST_CASE("read_exactly() gives what there is where the stream ends before", "[input_stream]") {
    for (std::size_t skipped = 0; skipped <= text.size(); ++skipped) {
        for_each_cut(false, [skipped](input_stream<char>& stream) {
            return stream.read_exactly(skipped)
                .then([&stream](temporary_buffer<char>&&) {
                    return stream.read_exactly(text.size() + 1);
                })
                .then([skipped, &stream](temporary_buffer<char>&& rest) {
                    REQUIRE(rest.view() == text.substr(skipped));
                    REQUIRE(stream.eof());
                    return stream.read_exactly(1);
                })
                .then([](temporary_buffer<char>&& none) { REQUIRE(none.empty()); });
        });
    }
}

TEST_CASE("read_up_to() gives something, never too much, and loses nothing", "[input_stream]") {
    for (std::size_t size = 1; size <= text.size() + 1; ++size) {
        for_each_cut(false, [size](input_stream<char>& stream) {
            auto all = std::make_unique<std::string>();
            auto& into = *all;
            return repeat([size, &stream, &into] {
                       return stream.read_up_to(size).then(
                           [size, &into](temporary_buffer<char>&& piece) {
                               REQUIRE(piece.size() <= size);
                               into.append(piece.view());
                               return piece.empty() ? stop_iteration::yes : stop_iteration::no;
                           });
                   })
                .then([all = std::move(all)] { REQUIRE(*all == text); });
        });
    }
}

TEST_CASE("skip() drops that many bytes, or all where the stream ends before", "[input_stream]") {
    for (std::size_t size = 0; size <= text.size() + 2; ++size) {
        for_each_cut(false, [size](input_stream<char>& stream) {
            return stream.skip(size)
                .then([&stream] { return read_rest(stream); })
                .then([size](const std::string& rest) {
                    REQUIRE(rest == text.substr(std::min(size, text.size())));
                });
        });
    }
}

TEST_CASE("an error of the source reaches every kind of read", "[input_stream]") {
    for_each_cut(true, [](input_stream<char>& stream) {
        return stream.read_exactly(text.size() + 1)
            .then_wrapped([](future<temporary_buffer<char>> ended) {
                REQUIRE_THROWS_AS(ended.get(), std::runtime_error);
            });
    });
    for_each_cut(true, [](input_stream<char>& stream) {
        return stream.skip(text.size() + 1).then_wrapped([](future<> ended) {
            REQUIRE_THROWS_AS(ended.get(), std::runtime_error);
        });
    });
    for_each_cut(true, [](input_stream<char>& stream) {
        return read_rest(stream).then_wrapped(
            [](future<std::string> ended) { REQUIRE_THROWS_AS(ended.get(), std::runtime_error); });
    });
}

TEST_CASE("bytes that came in one piece are not copied", "[input_stream]") {
    test_shard shard;
    auto stream = stream_of({std::string(text)}, false);
    const auto first = shard.run([&] { return stream.read_exactly(3); });
    const auto second = shard.run([&] { return stream.read_up_to(4); });
    shard.run([&] { return stream.skip(1); });
    const auto rest = shard.run([&] { return stream.read(); });
    CHECK(second.get() == first.get() + 3);
    CHECK(rest.get() == first.get() + 8);
    CHECK(rest.view() == text.substr(8));
}
