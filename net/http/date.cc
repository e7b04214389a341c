// Formats dates without locale, time zone or lock.
#include <miniss/net/http/date.hh>

#include <chrono>

#include <miniss/core/assert.hh>

namespace miniss::http {
namespace {

// Three letters for each name.
constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";

char* put_name(char* to, std::string_view names, std::size_t index) noexcept {
    return to + names.copy(to, 3, 3 * index);
}

char* put_two_digits(char* to, std::int64_t number) noexcept {
    *to++ = static_cast<char>('0' + number / 10);
    *to++ = static_cast<char>('0' + number % 10);
    return to;
}

}  // namespace

void write_date(char* to, std::int64_t unix_seconds) noexcept {
    const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
    const auto midnight = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(midnight);
    const std::chrono::weekday weekday(midnight);
    const std::chrono::hh_mm_ss clock(time - midnight);
    const int year = static_cast<int>(date.year());
    MINISS_ASSERT(unix_seconds >= -62167219200 && unix_seconds <= 253402300799);

    to = put_name(to, day_names, weekday.c_encoding());
    *to++ = ',';
    *to++ = ' ';
    to = put_two_digits(to, static_cast<unsigned>(date.day()));
    *to++ = ' ';
    to = put_name(to, month_names, static_cast<unsigned>(date.month()) - 1);
    *to++ = ' ';
    to = put_two_digits(to, year / 100);
    to = put_two_digits(to, year % 100);
    *to++ = ' ';
    to = put_two_digits(to, clock.hours().count());
    *to++ = ':';
    to = put_two_digits(to, clock.minutes().count());
    *to++ = ':';
    to = put_two_digits(to, clock.seconds().count());
    std::string_view(" GMT").copy(to, 4);
}

}  // namespace miniss::http
