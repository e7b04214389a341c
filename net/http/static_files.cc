#include <miniss/net/http/static_files.hh>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include <miniss/core/do_with.hh>
#include <miniss/core/file.hh>
#include <miniss/core/reactor.hh>
#include <miniss/net/http/date.hh>
#include <miniss/net/http/mime_type.hh>
#include <miniss/net/http/percent.hh>

namespace miniss::http {
namespace {

// A content that is not larger is read, and leaves together with its head.
constexpr std::size_t small_content_bytes = 16 * 1024;

// Every file has one path only: with two, what is meant for one could be had by the other.
bool is_plain_path(std::string_view path) noexcept {
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        if (segment.empty() || segment == "." || segment == ".." ||
            segment.find('\\') != segment.npos) {
            return false;
        }
        path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
    }
    return true;
}

status status_of(int error) noexcept {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EXDEV:  // Leads outside, which is nobody's business.
        return status::not_found;
    case EACCES:
    case EPERM:
    case ENXIO:  // A socket, or a device that is not there.
    case ENODEV:
        return status::forbidden;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return status::service_unavailable;
    default:
        return status::internal_server_error;
    }
}

std::string entity_tag_of(const open_file::facts& file) {
    std::array<char, 4 * 17 + 2> text;
    char* to = text.data();
    *to++ = '"';
    for (const std::uint64_t part :
         {file.inode, file.size_bytes, static_cast<std::uint64_t>(file.modified_seconds),
          static_cast<std::uint64_t>(file.modified_nanoseconds)}) {
        to = std::to_chars(to, to + 16, part, 16).ptr;
        *to++ = '-';
    }
    to[-1] = '"';
    return std::string(text.data(), to);
}

std::string date_text(std::int64_t unix_seconds) {
    std::string text(date_bytes, '\0');
    write_date(text.data(), unix_seconds);
    return text;
}

std::int64_t time_of_day() {
    const auto now = engine().backend().time_of_day().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

// A time that is still to come must not be told (RFC 9110 8.8.2.1), nor one before all time.
validators validators_of(const open_file::facts& file, std::int64_t now) {
    validators current{entity_tag_of(file)};
    if (file.modified_seconds >= 0 && file.modified_seconds <= now) {
        current.modified = file.modified_seconds;
    }
    return current;
}

reply redirection_to_slash(const request& asked) {
    std::string target(asked.path());
    target += '/';
    if (!asked.query().empty()) {
        target.append("?").append(asked.query());
    }
    return std::move(make_error_reply(status::moved_permanently).add_header("Location", target));
}

}  // namespace

struct static_files::found_file {
    std::string path;  // From the root, without a slash at its end.
    bool wants_directory = false;
    open_file file;
    open_file::facts facts;
    int error = 0;
};

future<reply> static_files::answer(const request& asked, std::string_view path) {
    std::string scratch;
    const auto decoded = decode_path(path, scratch);
    if (!decoded) {
        return make_ready_future<reply>(make_error_reply(status::bad_request));
    }
    const bool has_hidden_slash = std::count(path.begin(), path.end(), '/') !=
                                  std::count(decoded->begin(), decoded->end(), '/');
    if (has_hidden_slash || !is_plain_path(*decoded)) {
        return make_ready_future<reply>(make_error_reply(status::not_found));
    }
    auto file = std::make_unique<found_file>();
    file->path = *decoded;
    file->wants_directory = decoded->empty() || decoded->back() == '/';
    if (file->wants_directory) {
        file->path.resize(file->path.empty() ? 0 : file->path.size() - 1);
    }
    auto& found = *file;
    return find(found)
        .then([this, &asked, &found] { return reply_with(asked, found); })
        .finally([file = std::move(file)] {});
}

future<> static_files::find(found_file& file) {
    file.error = find_now(file, patience::none);
    if (file.error != EAGAIN) {
        return make_ready_future<>();
    }
    return _run_blocking([this, &file] { file.error = find_now(file, patience::any); });
}

int static_files::find_now(found_file& file, patience how) const {
    const int opened = _tree.open(file.path.empty() ? "." : file.path, how, file.file);
    if (opened < 0) {
        return -opened;
    }
    if (const int looked = file.file.look(file.facts); looked < 0) {
        return -looked;
    }
    switch (file.facts.what) {
    case open_file::kind::regular:
        return file.wants_directory ? ENOTDIR : 0;
    case open_file::kind::directory:
        return file.wants_directory ? open_index(file, how) : 0;
    case open_file::kind::other:
        break;
    }
    return EACCES;
}

int static_files::open_index(found_file& file, patience how) const {
    constexpr const char* index = "index.html";
    const std::string path = file.path.empty() ? index : file.path + "/" + index;
    if (const int opened = _tree.open(path, how, file.file); opened < 0) {
        return opened == -ENOENT ? EACCES : -opened;
    }
    if (const int looked = file.file.look(file.facts); looked < 0) {
        return -looked;
    }
    if (file.facts.what != open_file::kind::regular) {
        return EACCES;
    }
    file.path = path;
    return 0;
}

future<reply> static_files::reply_with(const request& asked, found_file& file) {
    if (file.error != 0) {
        return make_ready_future<reply>(make_error_reply(status_of(file.error)));
    }
    if (file.facts.what == open_file::kind::directory) {
        return make_ready_future<reply>(redirection_to_slash(asked));
    }
    const std::int64_t now = time_of_day();
    const validators current = validators_of(file.facts, now);
    const auto finish = [current](reply&& answer) {
        answer.add_header("ETag", current.entity_tag);
        if (current.modified) {
            answer.add_header("Last-Modified", date_text(*current.modified));
        }
        return std::move(answer);
    };
    switch (check_conditions(asked, current, now)) {
    case status::not_modified:
        return make_ready_future<reply>(finish(reply(status::not_modified)));
    case status::precondition_failed:
        return make_ready_future<reply>(make_error_reply(status::precondition_failed));
    default:
        break;
    }
    const std::uint64_t whole_bytes = file.facts.size_bytes;
    range_wish range = find_range(asked, whole_bytes, current, now);
    if (range.answer == status::range_not_satisfiable) {
        reply answer = make_error_reply(range.answer);
        answer.add_header("Content-Range", "bytes */" + std::to_string(whole_bytes));
        return make_ready_future<reply>(std::move(answer));
    }
    if (range.answer == status::ok) {
        range.part = {0, whole_bytes};
    }
    return content_of(file, asked, range).then(finish);
}

future<reply> static_files::content_of(found_file& file, const request& asked,
                                       const range_wish& range) {
    const byte_range part = range.part;
    const literal type = mime_type_of(file.path);
    const auto finish = [range, whole_bytes = file.facts.size_bytes](reply&& answer) {
        answer.add_header("Accept-Ranges", "bytes");
        if (range.answer == status::partial_content) {
            answer.add_header("Content-Range",
                              "bytes " + std::to_string(range.part.begin) + "-" +
                                  std::to_string(range.part.begin + range.part.bytes - 1) + "/" +
                                  std::to_string(whole_bytes));
        }
        return std::move(answer);
    };
    const auto stream = [&file, part, type, code = range.answer] {
        return reply::streamed(
            code, type, part.bytes, [part, opened = std::move(file.file)](content_writer& out) {
                return do_with(file::borrow(opened.fd()), [part, &out](const auto& source) {
                    return out.send_file(source, part.begin, part.bytes);
                });
            });
    };
    if (part.bytes == 0 || part.bytes > small_content_bytes || asked.method() == method::head) {
        return make_ready_future<reply>(finish(stream()));
    }
    return read(file.file, part)
        .then([finish, stream, part, type, code = range.answer](std::string&& content) {
            // Otherwise it was cut, or has just become shorter: streaming sees to either.
            const bool is_whole = content.size() == part.bytes;
            return finish(is_whole ? reply(code, type, std::move(content)) : stream());
        });
}

// Something of it, but perhaps not all; nothing at the end of the file.
future<std::string> static_files::read(const open_file& from, byte_range part) {
    struct job {
        std::string content;
        std::ptrdiff_t count = 0;
    };
    auto work = std::make_unique<job>();
    job& now = *work;
    now.content.resize(static_cast<std::size_t>(part.bytes));
    const auto try_to = [&now, &from, begin = part.begin](patience how) {
        now.count = from.read(now.content.data(), now.content.size(), begin, how);
    };
    try_to(patience::none);
    auto done = now.count == -EAGAIN ? _run_blocking([try_to] { try_to(patience::any); })
                                     : make_ready_future<>();
    return done.then([work = std::move(work)] {
        if (work->count < 0) {
            throw std::system_error(static_cast<int>(-work->count), std::system_category(),
                                    "read a file");
        }
        work->content.resize(static_cast<std::size_t>(work->count));
        return std::move(work->content);
    });
}

}  // namespace miniss::http
