// Dates against known ones.
#include <miniss/net/http/date.hh>

#include <ctime>
#include <string>

#include <miniss/tests/catch.hh>

using namespace miniss::http;

namespace {

std::string date_of(std::int64_t unix_seconds) {
    std::string text(date_bytes, '?');
    write_date(text.data(), unix_seconds);
    return text;
}

}  // namespace

TEST_CASE("dates are written in the preferred format (RFC 9110 5.6.7)", "[http]") {
    CHECK(date_of(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // The example of the RFC.
    CHECK(date_of(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(date_of(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
    CHECK(date_of(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");  // A leap day of a century.
    CHECK(date_of(951868800) == "Wed, 01 Mar 2000 00:00:00 GMT");
    CHECK(date_of(1709251199) == "Thu, 29 Feb 2024 23:59:59 GMT");
    CHECK(date_of(1709251200) == "Fri, 01 Mar 2024 00:00:00 GMT");
    CHECK(date_of(4107542400) == "Mon, 01 Mar 2100 00:00:00 GMT");  // 2100 has no leap day.
    CHECK(date_of(4107542399) == "Sun, 28 Feb 2100 23:59:59 GMT");
    CHECK(date_of(2147483648) == "Tue, 19 Jan 2038 03:14:08 GMT");  // Past 31 bits.
    CHECK(date_of(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
    CHECK(date_of(-62167219200) == "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST_CASE("dates agree with the C library's all through four centuries", "[http]") {
    for (std::int64_t seconds = 0; seconds < 400LL * 366 * 86400; seconds += 86400 * 9 + 12345) {
        const std::time_t time = static_cast<std::time_t>(seconds);
        std::tm broken_down{};
        gmtime_r(&time, &broken_down);
        char expected[64];
        std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &broken_down);
        REQUIRE(date_of(seconds) == expected);
    }
}

TEST_CASE("date_cache follows the second that it is given, also backwards", "[http]") {
    date_cache cache;
    CHECK(cache.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(cache.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(cache.at(784111778) == "Sun, 06 Nov 1994 08:49:38 GMT");
    CHECK(cache.at(784111776) == "Sun, 06 Nov 1994 08:49:36 GMT");
    CHECK(date_cache().at(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST_CASE("dates are read in the three forms that HTTP has had (RFC 9110 5.6.7)", "[http]") {
    constexpr std::int64_t now = 1'700'000'000;  // In 2023.
    CHECK(parse_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == 784111777);
    CHECK(parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == 784111777);
    CHECK(parse_date("Sun Nov  6 08:49:37 1994", now) == 784111777);
    CHECK(parse_date("Wed Nov 16 08:49:37 1994", now) == 784111777 + 10 * 86400);
    CHECK(parse_date("Thu, 01 Jan 1970 00:00:00 GMT", now) == 0);
    CHECK(parse_date("Tuesday, 01-Nov-72 00:00:00 GMT", now) ==
          parse_date("Tue, 01 Nov 2072 00:00:00 GMT", now));
    CHECK(parse_date("Thursday, 01-Nov-73 00:00:00 GMT", now) ==
          parse_date("Wed, 01 Nov 2073 00:00:00 GMT", now));
    CHECK(parse_date("Thursday, 01-Nov-74 00:00:00 GMT", now) ==
          parse_date("Fri, 01 Nov 1974 00:00:00 GMT", now));
    for (const char* text : {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
                             "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
                             "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
                             "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_date(text, now));
    }
}

TEST_CASE("what is written as a date is read as the same", "[http]") {
    for (std::int64_t seconds = 0; seconds < 400LL * 366 * 86400; seconds += 86400 * 99 + 12345) {
        REQUIRE(parse_date(date_of(seconds), 0) == seconds);
    }
}
