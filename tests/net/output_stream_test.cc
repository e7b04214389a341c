// Tests of output_stream: small writes leave together, large ones as they are, all in order.
#include <miniss/core/iostream.hh>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include <miniss/core/loop.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;

namespace {

// What has reached the sink.
struct sink_record {
    std::vector<gather_list> puts;
    bool closed = false;
    bool fails = false;
    std::optional<promise<>> waiting;  // The put that has not been answered.
    bool waits = false;

    std::string bytes() const {
        std::string all;
        for (const auto& pieces : puts) {
            for (const auto& piece : pieces) {
                all.append(piece.view());
            }
        }
        return all;
    }
    void answer() {
        auto answered = std::move(*waiting);
        waiting.reset();
        answered.set_value();
    }
};

class recording_sink final : public data_sink {
    sink_record& _record;

public:
    explicit recording_sink(sink_record& record) : _record(record) {}
    future<> put(gather_list&& pieces) override {
        REQUIRE_FALSE(_record.waiting.has_value());  // One at a time.
        if (_record.fails) {
            return make_exception_future<>(std::runtime_error("put"));
        }
        _record.puts.push_back(std::move(pieces));
        return _record.waits ? _record.waiting.emplace().get_future() : make_ready_future<>();
    }
    future<> close() override {
        _record.closed = true;
        return make_ready_future<>();
    }
};

struct recorded_stream {
    sink_record record;
    output_stream<char> out{std::make_unique<recording_sink>(record)};
};

temporary_buffer<char> buffer_of(const std::string& bytes) {
    return temporary_buffer<char>(bytes.data(), bytes.size());
}

std::string pattern(std::size_t size, char first) {
    std::string bytes(size, first);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<char>(first + static_cast<char>(i % 64));
    }
    return bytes;
}

}  // namespace

TEST_CASE("small writes leave together with flush(), and not before", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        const std::string line = std::to_string(i) + "\n";
        CHECK(stream.out.write(line).available());
        expected += line;
    }
    CHECK(stream.out.write("raw", 3).available());
    expected += "raw";
    CHECK(stream.record.puts.empty());
    CHECK(stream.out.has_unsent());
    stream.out.flush().get();
    CHECK_FALSE(stream.out.has_unsent());
    REQUIRE(stream.record.puts.size() == 1);
    CHECK(stream.record.bytes() == expected);
    CHECK(stream.record.puts[0].size() <= 2);  // Copied behind each other, not a piece for each.
}

TEST_CASE("flush() with nothing to send does not disturb the sink", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    CHECK_FALSE(stream.out.has_unsent());
    stream.out.write("").get();
    stream.out.write(temporary_buffer<char>()).get();
    CHECK_FALSE(stream.out.has_unsent());
    stream.out.flush().get();
    CHECK(stream.record.puts.empty());
}

TEST_CASE("what is written in place stands in its place between other writes", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    std::string expected;
    for (std::size_t i = 0; i < 200; ++i) {
        const std::string written = pattern(i * 7 % 300, 'a');
        const auto write = [&](char* to) { return std::copy(written.begin(), written.end(), to); };
        CHECK(stream.out.write_in_place(written.size() + i % 3 * 1000, write).available());
        CHECK(stream.out.write(std::to_string(i)).available());
        expected += written + std::to_string(i);
    }
    CHECK(stream.record.puts.empty());
    stream.out.flush().get();
    CHECK(stream.record.bytes() == expected);
}

TEST_CASE("much that is written in place is sent without a flush", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    const std::string much = pattern(output_stream<char>::unsent_bytes_max, 'a');
    const auto write = [&](char* to) { return std::copy(much.begin(), much.end(), to); };
    stream.out.write_in_place(much.size(), write).get();
    CHECK(stream.record.bytes() == much);
    stream.record.fails = true;
    CHECK_THROWS_WITH(stream.out.write_in_place(much.size(), write).get(), "put");
}

TEST_CASE("a large buffer is sent from where it is, in its place between small writes",
          "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    auto large = buffer_of(pattern(5000, 'A'));
    const char* where = large.get();
    stream.out.write("before ").get();
    stream.out.write(std::move(large)).get();
    stream.out.write(" behind").get();
    stream.out.write(buffer_of(" small")).get();
    stream.out.flush().get();
    REQUIRE(stream.record.puts.size() == 1);
    const auto& pieces = stream.record.puts[0];
    REQUIRE(pieces.size() == 3);
    CHECK(pieces[0].view() == "before ");
    CHECK(pieces[1].get() == where);
    CHECK(pieces[1].size() == 5000);
    CHECK(pieces[2].view() == " behind small");
}

TEST_CASE("much is sent without flush(), and then write() waits for the sink", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    stream.record.waits = true;
    const std::string piece = pattern(4096, 'A');
    constexpr std::size_t count = output_stream<char>::unsent_bytes_max / 4096;
    std::string expected;
    for (std::size_t i = 0; i + 1 < count; ++i) {
        CHECK(stream.out.write(piece).available());
        expected += piece;
    }
    CHECK(stream.record.puts.empty());
    auto waiting = stream.out.write(piece);
    expected += piece;
    CHECK_FALSE(waiting.available());
    REQUIRE(stream.record.puts.size() == 1);
    CHECK(stream.record.bytes() == expected);
    stream.record.answer();
    CHECK(waiting.available());
    waiting.get();
    CHECK_FALSE(stream.out.has_unsent());
}

TEST_CASE("one write larger than the bound is sent at once and whole", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    const bool as_buffer = GENERATE(false, true);
    const std::string bytes = pattern(output_stream<char>::unsent_bytes_max * 3 + 1, 'A');
    stream.out.write("head").get();
    (as_buffer ? stream.out.write(buffer_of(bytes)) : stream.out.write(bytes)).get();
    CHECK(stream.record.puts.size() == 1);
    CHECK(stream.record.bytes() == "head" + bytes);
}

TEST_CASE("whatever is written, it arrives in order", "[output_stream]") {
    const auto seed = GENERATE(range(1u, 30u));
    test_shard shard;
    sim::sim_random random(seed);
    recorded_stream stream;
    std::string expected;
    for (int i = 0; i < 300; ++i) {
        const std::string bytes = pattern(random.pick(1800), 'A');
        if (random.coin()) {
            stream.out.write(buffer_of(bytes)).get();
        } else {
            stream.out.write(bytes).get();
        }
        expected += bytes;
        if (random.pick(20) == 0) {
            stream.out.flush().get();
            REQUIRE(stream.record.bytes() == expected);
        }
    }
    stream.out.close().get();
    CHECK(stream.record.bytes() == expected);
    CHECK(stream.record.closed);
}

TEST_CASE("an error of the sink comes out of the write or flush() that met it", "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    stream.record.fails = true;
    CHECK_THROWS_AS(stream.out.write(pattern(output_stream<char>::unsent_bytes_max, 'A')).get(),
                    std::runtime_error);
    stream.out.write("x").get();
    CHECK_THROWS_AS(stream.out.flush().get(), std::runtime_error);
}

TEST_CASE("close() sends what is left and ends the stream, also where sending fails",
          "[output_stream]") {
    test_shard shard;
    recorded_stream stream;
    stream.record.fails = GENERATE(false, true);
    stream.out.write("last words").get();
    auto closed = stream.out.close();
    CHECK(closed.failed() == stream.record.fails);
    if (stream.record.fails) {
        CHECK_THROWS_AS(closed.get(), std::runtime_error);
    } else {
        closed.get();
        CHECK(stream.record.bytes() == "last words");
    }
    CHECK(stream.record.closed);
}
