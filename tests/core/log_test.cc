// Loggers: what a line says, who may say something, and what the buffers on the way out hold.
#include <miniss/core/log.hh>

#include <algorithm>
#include <ostream>
#include <stdexcept>

#include <miniss/core/log_writer.hh>
#include <miniss/tests/captured_stderr.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/test_shard.hh>

using namespace miniss;
using Catch::Matchers::Matches;

namespace {

struct with_to_string {
    std::string to_string() const { return "said by itself"; }
};
struct with_output_operator {};
std::ostream& operator<<(std::ostream& out, const with_output_operator&) { return out << "put"; }
struct throws_on_output {
    std::string to_string() const { throw std::runtime_error("cannot say"); }
};
enum class colour : unsigned char { red = 3 };

// What stands behind the place, the name and the dash.
std::string message(const std::string& line) { return line.substr(line.find(" - ") + 3); }

}  // namespace

TEST_CASE("a log line names level, time, place and logger", "[log]") {
    captured_stderr printed;
    logger log("cache");
    log.warn("{} of {}", 3, 90L);
    CHECK_THAT(printed.take(), Matches("WARN  [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z "
                                       "\\[no shard\\] cache - 3 of 90\n"));
    test_shard shard;
    log.error("on it");
    // The time is that of the shard, here of the simulated world.
    CHECK_THAT(printed.take(), Matches("ERROR [-0-9T:.]{23}Z \\[shard 0\\] cache - on it\n"));
}

TEST_CASE("a logger takes arguments of many types", "[log]") {
    captured_stderr printed;
    logger log("types");
    const auto said = [&printed] { return message(printed.take()); };
    log.info("{} {} {} {}", true, 'x', std::string("text"), std::string_view("view"));
    CHECK(said() == "true x text view\n");
    log.info("{:>6.2f}|{:#x}|{:<4}|{{}}", 1.005e2, 255u, short{-7});
    CHECK(said() == "100.50|0xff|-7  |{}\n");
    log.info("{1} {0}", "literal", static_cast<const void*>(nullptr));
    CHECK(said() == "0x0 literal\n");
    log.info("{} {} {}", with_to_string(), with_output_operator(), colour::red);
    CHECK(said() == "said by itself put 3\n");
    log.info("{}", std::make_exception_ptr(std::logic_error("no port")));
    CHECK(said() == "std::logic_error: no port\n");
    log.info("{}", std::exception_ptr());
    CHECK(said() == "no exception\n");
}

TEST_CASE("what cannot be formatted is told instead", "[log]") {
    captured_stderr printed;
    logger log("bad");
    log.info("{:d}", "text");
    CHECK(message(printed.take()).starts_with("cannot format \"{:d}\": "));
    log.info("{}", throws_on_output());
    CHECK(message(printed.take()) == "cannot format \"{}\": std::runtime_error: cannot say\n");
}

TEST_CASE("text that is quoted in a line cannot forge another one", "[log]") {
    static logger log("quoter");
    captured_stderr printed;
    log.info("\t{}", "no\r\nERROR 2026-11-25T19:44:47.123Z [shard 0] quoter - yes");
    log.info("{}", std::make_exception_ptr(std::runtime_error("two\nlines \x1b[2J\x7f \u00e4")));
    const std::string said = printed.take();
    CHECK(said.find("- \\x09no\\x0d\\x0aERROR 2026") != said.npos);
    CHECK(said.find("two\\x0alines \\x1b[2J\\x7f \u00e4\n") != said.npos);
    CHECK(std::count(said.begin(), said.end(), '\n') == 2);
}

TEST_CASE("a line that is too long is cut", "[log]") {
    captured_stderr printed;
    logger log("long");
    log.info("{}", std::string(100'000, 'x'));
    const std::string line = printed.take();
    CHECK(line.size() == 16 * 1024);
    CHECK(line.ends_with("x...\n"));
}

TEST_CASE("a logger says what its level lets through", "[log]") {
    captured_stderr printed;
    logger log("levels");
    const auto said = [&] {
        log.error("e");
        log.warn("w");
        log.info("i");
        log.debug("d");
        log.trace("t");
        std::string letters;
        for (std::string lines = printed.take(); !lines.empty();
             lines.erase(0, lines.find('\n') + 1)) {
            letters += message(lines)[0];
        }
        return letters;
    };
    CHECK(said() == "ewi");
    log.set_level(log_level::error);
    CHECK(said() == "e");
    log.set_level(log_level::trace);
    CHECK(said() == "ewidt");
}

TEST_CASE("levels are set for all loggers, or by name, also before a logger is made", "[log]") {
    logger first("first");
    set_all_loggers_level(log_level::warn);
    set_logger_level("second", log_level::debug);
    logger second("second");
    logger third("third");
    CHECK(first.level() == log_level::warn);
    CHECK(second.level() == log_level::debug);
    CHECK(third.level() == log_level::warn);
    set_logger_level("first", log_level::trace);
    CHECK(first.is_enabled(log_level::trace));
    set_all_loggers_level(log_level::info);
    CHECK(second.level() == log_level::info);
    const auto names = logger_names();
    for (const char* name : {"first", "second", "third"}) {
        CHECK(std::count(names.begin(), names.end(), name) == 1);
    }
}

TEST_CASE("levels have names", "[log]") {
    for (const auto level :
         {log_level::error, log_level::warn, log_level::info, log_level::debug, log_level::trace}) {
        CHECK(parse_log_level(to_string(level)) == level);
    }
    CHECK(!parse_log_level("loud"));
}

TEST_CASE("a log buffer gives back what it was given, and drops what does not fit", "[log]") {
    internal::log_bell bell;
    log_buffer buffer(bell);
    const auto take_all = [&buffer] {
        std::string all;
        for (auto front = buffer.front(); !front.empty(); front = buffer.front()) {
            all += front;
            buffer.pop(front.size());
        }
        return all;
    };
    const std::string line(1000, 'x');
    const std::size_t fitting_count = log_buffer::capacity_bytes / line.size();
    for (int round = 0; round < 3; ++round) {  // From the second on it wraps around.
        for (std::size_t i = 0; i < fitting_count + 2; ++i) {
            buffer.push(line);
        }
        CHECK(buffer.dropped_count() == static_cast<unsigned long>(2 * (round + 1)));
        CHECK(take_all() == std::string(fitting_count * line.size(), 'x'));
    }
    buffer.push("the last\n");
    CHECK(take_all() == "the last\n");
}
