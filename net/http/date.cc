// Formats dates without locale, time zone or lock.
#include <miniss/net/http/date.hh>

#include <algorithm>
#include <chrono>
#include <iterator>

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

constexpr std::string_view long_day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                               "Thursday", "Friday", "Saturday"};

// Takes the parts of a date off the front of a text.
class date_text {
    std::string_view _rest;
    bool _fine = true;

public:
    explicit date_text(std::string_view text) noexcept : _rest(text) {}

    bool is_read() const noexcept { return _fine && _rest.empty(); }

    void skip(std::string_view expected) noexcept {
        _fine = _fine && _rest.starts_with(expected);
        if (_fine) {
            _rest.remove_prefix(expected.size());
        }
    }
    unsigned name(std::string_view names) noexcept {
        const std::size_t at = _rest.size() < 3 ? names.npos : names.find(_rest.substr(0, 3));
        _fine = _fine && at != names.npos && at % 3 == 0;
        if (!_fine) {
            return 0;
        }
        _rest.remove_prefix(3);
        return static_cast<unsigned>(at / 3);
    }
    unsigned number(std::size_t digit_count) noexcept {
        unsigned value = 0;
        for (std::size_t i = 0; i < digit_count; ++i) {
            _fine = _fine && i < _rest.size() && _rest[i] >= '0' && _rest[i] <= '9';
            value = _fine ? value * 10 + static_cast<unsigned>(_rest[i] - '0') : 0;
        }
        _rest.remove_prefix(_fine ? digit_count : 0);
        return value;
    }
    // Of asctime: the first digit may be a blank.
    unsigned day() noexcept {
        if (!_rest.starts_with(' ')) {
            return number(2);
        }
        skip(" ");
        return number(1);
    }
};

struct date_fields {
    int year = 0;
    unsigned month = 0;  // From 0.
    unsigned day = 0;
    unsigned seconds_of_day = 86'401;
};

unsigned read_clock(date_text& text) noexcept {
    const unsigned hours = text.number(2);
    text.skip(":");
    const unsigned minutes = text.number(2);
    text.skip(":");
    const unsigned seconds = text.number(2);  // 60 in a leap second.
    return hours < 24 && minutes < 60 && seconds <= 60 ? (hours * 60 + minutes) * 60 + seconds
                                                       : 86'401;
}

// Sun, 06 Nov 1994 08:49:37 GMT
bool read_fixdate(std::string_view from, date_fields& to) noexcept {
    date_text text(from);
    text.name(day_names);
    text.skip(", ");
    to.day = text.number(2);
    text.skip(" ");
    to.month = text.name(month_names);
    text.skip(" ");
    to.year = static_cast<int>(text.number(4));
    text.skip(" ");
    to.seconds_of_day = read_clock(text);
    text.skip(" GMT");
    return text.is_read();
}

// Sunday, 06-Nov-94 08:49:37 GMT
bool read_rfc850(std::string_view from, date_fields& to, std::int64_t now) noexcept {
    const auto* name =
        std::find_if(std::begin(long_day_names), std::end(long_day_names),
                     [from](std::string_view each) { return from.starts_with(each); });
    if (name == std::end(long_day_names)) {
        return false;
    }
    date_text text(from.substr(name->size()));
    text.skip(", ");
    to.day = text.number(2);
    text.skip("-");
    to.month = text.name(month_names);
    text.skip("-");
    const int short_year = static_cast<int>(text.number(2));
    text.skip(" ");
    to.seconds_of_day = read_clock(text);
    text.skip(" GMT");
    const std::chrono::year_month_day today(
        std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(now))));
    const int this_year = static_cast<int>(today.year());
    to.year = this_year - this_year % 100 + short_year;
    to.year += to.year > this_year + 50 ? -100 : to.year <= this_year - 50 ? 100 : 0;
    return text.is_read();
}

// Sun Nov  6 08:49:37 1994
bool read_asctime(std::string_view from, date_fields& to) noexcept {
    date_text text(from);
    text.name(day_names);
    text.skip(" ");
    to.month = text.name(month_names);
    text.skip(" ");
    to.day = text.day();
    text.skip(" ");
    to.seconds_of_day = read_clock(text);
    text.skip(" ");
    to.year = static_cast<int>(text.number(4));
    return text.is_read();
}

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now) noexcept {
    date_fields read;
    if (!read_fixdate(text, read) && !read_rfc850(text, read, now) && !read_asctime(text, read)) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(read.year),
                                           std::chrono::month(read.month + 1),
                                           std::chrono::day(read.day)};
    if (!date.ok() || read.seconds_of_day > 86'400) {
        return std::nullopt;
    }
    const auto midnight = std::chrono::sys_seconds(std::chrono::sys_days(date));
    return midnight.time_since_epoch().count() + read.seconds_of_day;
}

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
