#include <miniss/net/http/access_log.hh>

#include <array>
#include <string_view>

#include <miniss/core/loop.hh>
#include <miniss/core/report.hh>
#include <miniss/net/http/request.hh>

namespace miniss::http {
namespace {

void append_escaped(std::string& to, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            to.push_back(c);
        } else {
            to.append("\\x");
            to.push_back(digits[byte / 16]);
            to.push_back(digits[byte % 16]);
        }
    }
}

// The address without its port. What listens on a Unix socket has peers without a name.
void append_host(std::string& to, const socket_address& peer) {
    const bool has_name = peer.family() == AF_INET || peer.family() == AF_INET6;
    const std::string text = has_name ? peer.to_string() : std::string();
    const std::string_view host = std::string_view(text).substr(0, text.rfind(':'));
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    to.append(host.empty() ? "-" : bracketed ? host.substr(1, host.size() - 2) : host);
}

// 06/Nov/1994:08:49:37 +0000, out of Sun, 06 Nov 1994 08:49:37 GMT.
void append_time(std::string& to, std::int64_t unix_seconds) {
    std::array<char, date_bytes> date;
    write_date(date.data(), unix_seconds);
    const std::string_view text(date.data(), date.size());
    to.append(text.substr(5, 2)).append("/").append(text.substr(8, 3)).append("/");
    to.append(text.substr(12, 4)).append(":").append(text.substr(17, 8)).append(" +0000");
}

}  // namespace

void append_access_line(std::string& to, const access_record& record, std::int64_t unix_seconds) {
    append_host(to, record.peer);
    to.append(" - - [");
    append_time(to, unix_seconds);
    to.append("] \"");
    if (record.asked == nullptr) {
        to.append("-");
    } else {
        to.append(name_of(record.asked->method())).append(" ");
        append_escaped(to, record.asked->target());
        to.append(record.asked->minor_version() == 0 ? " HTTP/1.0" : " HTTP/1.1");
    }
    to.append("\" ").append(std::to_string(static_cast<unsigned>(record.answer))).append(" ");
    to.append(record.content_bytes == 0 ? "-" : std::to_string(record.content_bytes));
    to.append("\n");
}

void access_log::add(const access_record& record, std::int64_t unix_seconds) {
    if (_lines.size() >= _unwritten_bytes_max) {
        drop(1);
        return;
    }
    append_access_line(_lines, record, unix_seconds);
    ++_line_count;
    if (_writing.available()) {
        write_on();
    }
}

void access_log::drop(std::uint64_t line_count) noexcept {
    _dropped_count += line_count;
    _unreported_count += line_count;
}

// Until there is nothing left. What is added meanwhile goes with the next call.
void access_log::write_on() noexcept {
    _writing = do_until(
        [this] { return _lines.empty(); },
        [this] {
            const std::uint64_t line_count = std::exchange(_line_count, 0);
            const std::uint64_t missing_count = std::exchange(_unreported_count, 0);
            return futurize_invoke(_write, std::exchange(_lines, {}), missing_count)
                .handle_exception([this, line_count, missing_count](std::exception_ptr error) {
                    _unreported_count += missing_count;
                    drop(line_count);
                    miniss::internal::report_background_failure("HTTP access log",
                                                                std::move(error));
                });
        });
}

future<> access_log::stop() noexcept { return std::exchange(_writing, make_ready_future<>()); }

}  // namespace miniss::http
