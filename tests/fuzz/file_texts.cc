// What a request for a file may say, each against its plainest possible reading.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <miniss/net/http/conditional.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/mime_type.hh>
#include <miniss/net/http/request_parser.hh>
#include <miniss/net/http/static_files.hh>
#include <miniss/net/http/text.hh>
#include <miniss/tests/fuzz/fuzz_target.hh>
#include <miniss/tests/test_shard.hh>

namespace miniss::fuzz {
namespace {

using namespace http;

constexpr std::int64_t now = 1'709'251'190;  // 29 February 2024.
constexpr std::string_view tag = "\"a-b\"";

// A request with these fields; null if they are none.
class made_request {
    std::string _text;
    limits _bounds;
    request_parser _parser{_bounds};
    std::optional<request> _request;

public:
    explicit made_request(const std::string& fields)
        : _text("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n") {
        if (_parser.parse(_text) == parse_result::complete) {
            _request.emplace(_text.data(), _parser.head());
        }
    }
    made_request(const made_request&) = delete;
    made_request& operator=(const made_request&) = delete;
    const request* get() const noexcept { return _request ? &*_request : nullptr; }
};

std::string in_form(const char* form, std::int64_t unix_seconds) {
    const time_t seconds = unix_seconds;
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    return std::string(text, ::strftime(text, sizeof text, form, &parts));
}

// The first bytes choose a time, and the text is perhaps one itself.
void check_dates(std::string_view text) {
    constexpr std::int64_t year_1000 = -30'610'224'000;
    constexpr std::int64_t year_10000 = 253'402'300'800;
    std::uint64_t number = 0;
    for (const char c : text.substr(0, sizeof number)) {
        number = number * 256 + static_cast<unsigned char>(c);
    }
    const auto time =
        year_1000 + static_cast<std::int64_t>(number % std::uint64_t{year_10000 - year_1000});
    const std::string fixed = in_form("%a, %d %b %Y %H:%M:%S GMT", time);
    char written[date_bytes];
    write_date(written, time);
    require(std::string_view(written, date_bytes) == fixed, "a date is written otherwise");
    require(parse_date(fixed, now) == time, "a date is read otherwise");
    require(parse_date(in_form("%a %b %e %H:%M:%S %Y", time), now) == time, "asctime");
    const std::int64_t near = now + time % 1'500'000'000;  // 47 years.
    require(parse_date(in_form("%A, %d-%b-%y %H:%M:%S GMT", near), now) == near, "rfc850");
    const auto read = parse_date(text, now);
    if (read && text.size() == date_bytes && text.find(":60 ") == text.npos &&
        text.ends_with(" GMT")) {
        write_date(written, *read);
        require(text.substr(3) == std::string_view(written, date_bytes).substr(3),
                "another date, but for the day of the week");
    }
}

void check_tags(const std::string& value) {
    const validators current{std::string(tag), std::nullopt};
    const auto answer = [&current](const std::string& fields) {
        const made_request asked(fields);
        return asked.get() == nullptr ? std::nullopt
                                      : std::optional(check_conditions(*asked.get(), current, now));
    };
    const auto match = answer("If-Match: " + value + "\r\n");
    const auto none_match = answer("If-None-Match: " + value + "\r\n");
    if (!match || !none_match) {  // It is no value, or too long.
        return;
    }
    require(*match == status::ok || *match == status::precondition_failed, "If-Match");
    require(*none_match == status::ok || *none_match == status::not_modified, "If-None-Match");
    require(*match != status::ok || *none_match == status::not_modified,
            "what is the same is not even weakly the same");
    require(
        *none_match == status::ok || value.find(tag) != value.npos || value.find('*') != value.npos,
        "a tag that is not there matches");
    const std::string own(tag);
    require(answer("If-Match: " + own + ", " + value + "\r\n").value_or(status::ok) == status::ok,
            "a tag that is there does not match");
    require(
        answer("If-None-Match: W/" + own + ", " + value + "\r\n").value_or(status::not_modified) ==
            status::not_modified,
        "a weak tag that is there does not match");
}

// Digits, or nothing; what is beyond the largest number is that.
std::optional<std::uint64_t> number_plainly(std::string_view digits) {
    std::uint64_t number = 0;
    for (const char digit : digits) {
        if (!http::internal::is_digit(digit)) {
            return std::nullopt;
        }
        const auto value = static_cast<std::uint64_t>(digit - '0');
        number = number > (UINT64_MAX - value) / 10 ? UINT64_MAX : number * 10 + value;
    }
    return digits.empty() ? std::nullopt : std::optional(number);
}

range_wish range_plainly(std::string_view value, std::uint64_t whole_bytes) {
    const auto equals = value.find('=');
    const auto hyphen = value.find('-');
    if (equals != 5 || !http::internal::equals_ignoring_case(value.substr(0, 5), "bytes") ||
        hyphen == value.npos) {
        return {};
    }
    std::string_view left = http::internal::trimmed(value.substr(6, hyphen - 6));
    std::string_view right = http::internal::trimmed(value.substr(hyphen + 1));
    if (left.size() + right.size() + 1 != http::internal::trimmed(value.substr(6)).size()) {
        return {};
    }
    const auto first = number_plainly(left);
    const auto last = number_plainly(right);
    std::uint64_t begin = first.value_or(0);
    std::uint64_t end = whole_bytes;  // Behind the last byte.
    if (left.empty() && last) {
        begin = whole_bytes - std::min(whole_bytes, *last);
    } else if (!first || (!last && !right.empty()) || (last && *last < begin)) {
        return {};
    } else if (last && *last < whole_bytes) {
        end = *last + 1;
    }
    return begin < end ? range_wish{status::partial_content, {begin, end - begin}}
                       : range_wish{status::range_not_satisfiable};
}

void check_range(const std::string& value) {
    const made_request asked("Range: " + value + "\r\n");
    if (asked.get() == nullptr) {
        return;
    }
    const validators current{std::string(tag), std::nullopt};
    for (const std::uint64_t whole_bytes : {0ULL, 1ULL, 10ULL, 1ULL << 40, ~0ULL}) {
        const auto plain = range_plainly(asked.get()->header("Range").value_or("?"), whole_bytes);
        const auto found = find_range(*asked.get(), whole_bytes, current, now);
        require(found.answer == plain.answer && found.part.begin == plain.part.begin &&
                    found.part.bytes == plain.part.bytes,
                "another range");
    }
}

void check_type(std::string_view text) {
    const std::string name(text);
    std::string other = name;
    for (char& c : other) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    const auto type = mime_type_of(name).text();
    require(mime_type_of(other).text() == type, "the case of a name matters");
    require(mime_type_of("a.css/" + name).text() ==
                (name.find('.') == name.npos ? std::string_view("application/octet-stream") : type),
            "a directory gives a file its type");
}

// A directory with files, and a file beside it.
class served_directory {
    std::string _place = "/tmp/miniss-fuzz-XXXXXX";

public:
    std::optional<static_files> files;

    served_directory() {
        require(::mkdtemp(_place.data()) != nullptr, "no directory can be made");
        const std::filesystem::path root = _place + "/root";
        std::filesystem::create_directories(root / "d");
        std::ofstream(root / "a b.txt") << "a";
        std::ofstream(root / "d/index.html") << "index";
        std::ofstream(_place + "/secret") << "secret";
        std::filesystem::create_symlink("../secret", root / "out");
        files.emplace(root.string(), [](noncopyable_function<void()> work) {
            work();
            return make_ready_future<>();
        });
    }
    served_directory(const served_directory&) = delete;
    served_directory& operator=(const served_directory&) = delete;
    ~served_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(_place, ignored);
    }
};

// The paths that lead to something, in every way in which they may be written.
status status_plainly(std::string_view raw, const std::optional<std::string>& decoded) {
    if (!decoded || decoded->find('\0') != std::string::npos) {
        return status::bad_request;
    }
    const auto slashes = [](std::string_view text) {
        return std::count(text.begin(), text.end(), '/');
    };
    if (slashes(raw) != slashes(*decoded)) {
        return status::not_found;
    }
    if (*decoded == "a b.txt" || *decoded == "d/" || *decoded == "d/index.html") {
        return status::ok;
    }
    if (*decoded == "d") {
        return status::moved_permanently;
    }
    return decoded->empty() ? status::forbidden : status::not_found;
}

void check_path(std::string_view text) {
    static served_directory served;
    test_shard shard;
    const made_request asked("");
    const reply answer = shard.run([&] { return served.files->answer(*asked.get(), text); });
    const auto decoded = decode_plainly(text, false);
    require(answer.status() == status_plainly(text, decoded), "a path leads elsewhere");
    require(answer.status() != status::ok ||
                answer.content() == (*decoded == "a b.txt" ? "a" : "index"),
            "another file");
}

}  // namespace

void check_file_texts(std::string_view text) {
    const std::string value(text);
    check_dates(text);
    if (value.find('\n') == value.npos) {  // Otherwise it would be several fields.
        check_tags(value);
        check_range(value);
    }
    check_type(text);
    check_path(text);
}

}  // namespace miniss::fuzz
