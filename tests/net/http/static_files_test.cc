// Tests of files that are served: which ones, which parts of them, and under which conditions.
#include <miniss/net/http/static_files.hh>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include <miniss/net/http/date.hh>
#include <miniss/net/http/mime_type.hh>
#include <miniss/net/http/request_parser.hh>
#include <miniss/tests/net/counting_backend.hh>
#include <miniss/tests/net/http/http_world.hh>
#include <miniss/tests/net/scratch_directory.hh>

using namespace miniss;
using namespace miniss::http;

namespace {

// Long ago, so that it is before the time of day of a simulated world.
constexpr std::int64_t modified = 784111777;
const std::string modified_text = "Sun, 06 Nov 1994 08:49:37 GMT";

blocking_runner at_once() {
    return [](noncopyable_function<void()> work) {
        work();
        return make_ready_future<>();
    };
}

// A directory, and beside it one that must not be seen.
struct files_on_disk {
    scratch_directory scratch;

    files_on_disk() {
        std::filesystem::create_directories(path("inside/empty"));
        std::filesystem::create_directories(path("outside"));
        write("outside/secret.txt", "secret");
        write("a.txt", "0123456789");
        write("empty.html", "");
        write("inside/index.html", "index");
        write("inside/sp ace.css", "css");
    }
    std::string path(const std::string& name) const {
        return scratch.path(name.starts_with("outside") ? name : "root/" + name);
    }
    void write(const std::string& name, const std::string& content) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name), std::ios::binary) << content;
        const timespec times[2] = {{modified, 0}, {modified, 5}};
        REQUIRE(::utimensat(AT_FDCWD, path(name).c_str(), times, 0) == 0);
    }
};

struct files_world : http_world<test_shard> {
    files_on_disk disk;
    static_files files{disk.scratch.path("root"), at_once()};

    explicit files_world(std::uint64_t seed = 0, const server_options& its_options = {})
        : http_world<test_shard>(seed, its_options) {
        table.add({method::get}, "/f/*", [this](const request& asked) {
            return files.answer(asked, asked.parameter("*").value_or("?"));
        });
    }
    received_reply get(const std::string& path, const std::string& fields = "",
                       const std::string& verb = "GET") {
        auto asking = client();
        asking.send(verb + " /f/" + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
                    fields + "\r\n");
        const auto answer = asking.reply(verb == "HEAD");
        CHECK(asking.ended());
        return answer;
    }
    unsigned code(const std::string& path, const std::string& fields = "") {
        return get(path, fields).code;
    }
    std::string tag() {
        const std::string head = get("a.txt").head;
        const auto begin = head.find("ETag: ") + 6;
        return head.substr(begin, head.find('\r', begin) - begin);
    }
};

}  // namespace

TEST_CASE("a file is answered with its content, type, tag and date", "[static_files]") {
    files_world world;
    const auto reply = world.get("a.txt");
    CHECK(reply.code == 200);
    CHECK(reply.content == "0123456789");
    CHECK(reply.has("Content-Type: text/plain; charset=utf-8"));
    CHECK(reply.has("Last-Modified: " + modified_text));
    CHECK(reply.has("Accept-Ranges: bytes"));
    CHECK(reply.head.find("\r\nETag: \"") != std::string::npos);
    const auto head = world.get("a.txt", "", "HEAD");
    CHECK(head.has("Content-Length: 10"));
    CHECK(head.has("ETag: " + world.tag()));
    const auto empty = world.get("empty.html?query");
    CHECK(empty.code == 200);
    CHECK(empty.has("Content-Length: 0"));
    CHECK(world.get("inside/sp%20ace%2Ecss").content == "css");
    world.disk.write("large", distinct_bytes(1'000'000));
    CHECK(world.get("large").content == distinct_bytes(1'000'000));
    CHECK(world.get("large").has("Content-Type: application/octet-stream"));
    CHECK(world.get("a.txt", "", "POST").code == 405);
    CHECK(world.get("a.txt", "", "DELETE").has("Allow: GET, HEAD, OPTIONS"));
}

TEST_CASE("a directory has an index, or is forbidden; without its slash it is elsewhere",
          "[static_files]") {
    files_world world;
    CHECK(world.get("inside/").content == "index");
    CHECK(world.get("inside/").has("Content-Type: text/html; charset=utf-8"));
    const auto moved = world.get("inside?a=b");
    CHECK(moved.code == 301);
    CHECK(moved.has("Location: /f/inside/?a=b"));
    CHECK(world.code("inside/empty/") == 403);
    CHECK(world.code("") == 403);
    world.disk.write("index.html", "top");
    CHECK(world.get("").content == "top");
    CHECK(world.code("a.txt/") == 404);
    CHECK(world.code("nowhere") == 404);
    CHECK(world.code("nowhere/") == 404);
    CHECK(world.code("inside/index.html/x") == 404);
    CHECK(world.code(std::string(300, 'x')) == 404);
}

TEST_CASE("nothing outside of the directory is reached", "[static_files]") {
    files_world world;
    const auto link = [&world](const std::string& to, const std::string& name) {
        REQUIRE(::symlink(to.c_str(), world.disk.path(name).c_str()) == 0);
    };
    link("../outside/secret.txt", "link");
    link("../outside", "directory");
    link(world.disk.scratch.path("outside/secret.txt"), "absolute");
    link("loop", "loop");
    for (const char* path : {"../outside/secret.txt",
                             "inside/../../outside/secret.txt",
                             "%2e%2e/outside/secret.txt",
                             "..%2foutside%2fsecret.txt",
                             "..%5coutside%5csecret.txt",
                             "inside/..",
                             "inside/../a.txt",
                             "./a.txt",
                             "inside/.",
                             "/etc/passwd",
                             "%2fetc/passwd",
                             "inside//index.html",
                             "inside%2findex.html",
                             "link",
                             "directory/secret.txt",
                             "directory/",
                             "absolute",
                             "loop",
                             "%252e%252e/outside/secret.txt",
                             "a.txt%5c"}) {
        CAPTURE(path);
        CHECK(world.code(path) == 404);
    }
    CHECK(world.code("a.txt%00") == 400);
    CHECK(world.code("%00") == 400);
}

TEST_CASE("what may not be read, or is no file, is forbidden and holds nobody up",
          "[static_files]") {
    files_world world;
    REQUIRE(::mkfifo(world.disk.path("pipe").c_str(), 0600) == 0);
    CHECK(world.code("pipe") == 403);
    if (::geteuid() != 0) {
        world.disk.write("closed", "x");
        REQUIRE(::chmod(world.disk.path("closed").c_str(), 0) == 0);
        CHECK(world.code("closed") == 403);
    }
}

TEST_CASE("a kernel without openat2() follows no links, and reaches nothing outside either",
          "[static_files]") {
    const files_on_disk disk;
    const file_tree tree(disk.scratch.path("root"));
    REQUIRE(::symlink("a.txt", disk.path("near").c_str()) == 0);
    REQUIRE(::symlink("../outside", disk.path("far").c_str()) == 0);
    open_file file;
    const int opened = tree.open("near", patience::any, file);
    CHECK((opened == 0 || opened == -ELOOP));  // This kernel may be such a one.
    CHECK(tree.open_by_steps("near", file) == -ELOOP);
    CHECK(tree.open_by_steps("a.txt", file) == 0);
    CHECK(tree.open_by_steps("inside/index.html", file) == 0);
    CHECK(tree.open_by_steps(".", file) == 0);
    CHECK(tree.open_by_steps("nowhere/x", file) == -ENOENT);
    for (const char* path : {"..", "../outside/secret.txt", "inside/../../outside/secret.txt",
                             "/etc/passwd", "far/secret.txt"}) {
        CAPTURE(path);
        CHECK(tree.open_by_steps(path, file) < 0);
        CHECK(tree.open(path, patience::any, file) < 0);
    }
    CHECK_THROWS_AS(file_tree(disk.path("a.txt")), std::system_error);
    CHECK_THROWS_AS(file_tree(disk.path("nowhere")), std::system_error);
}

TEST_CASE("conditions decide in their order (RFC 9110 13.2.2)", "[static_files]") {
    files_world world;
    const std::string tag = world.tag();
    const std::string later = "Sun, 06 Nov 1994 08:49:38 GMT";
    const std::string earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
    const auto code = [&world](const std::string& fields) { return world.code("a.txt", fields); };
    CHECK(code("If-None-Match: " + tag + "\r\n") == 304);
    CHECK(code("If-None-Match: \"x,y\", W/" + tag + "\r\n") == 304);
    CHECK(code("If-None-Match: \"x\"\r\nIf-None-Match: " + tag + "\r\n") == 304);
    CHECK(code("If-None-Match: *\r\n") == 304);
    CHECK(code("If-None-Match: \"x\"\r\n") == 200);
    CHECK(code("If-None-Match: x" + tag + "\r\n") == 200);
    CHECK(code("If-Modified-Since: " + modified_text + "\r\n") == 304);
    CHECK(code("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n") == 304);
    CHECK(code("If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n") == 304);
    CHECK(code("If-Modified-Since: " + earlier + "\r\n") == 200);
    CHECK(code("If-Modified-Since: yesterday\r\n") == 200);
    // A tag counts more than a date.
    CHECK(code("If-None-Match: \"x\"\r\nIf-Modified-Since: " + later + "\r\n") == 200);
    CHECK(code("If-Match: " + tag + "\r\n") == 200);
    CHECK(code("If-Match: *\r\n") == 200);
    CHECK(code("If-Match: \"x\"\r\n") == 412);
    CHECK(code("If-Match: W/" + tag + "\r\n") == 412);
    CHECK(code("If-Unmodified-Since: " + modified_text + "\r\n") == 200);
    CHECK(code("If-Unmodified-Since: " + earlier + "\r\n") == 412);
    CHECK(code("If-Match: " + tag + "\r\nIf-Unmodified-Since: " + earlier + "\r\n") == 200);
    CHECK(code("If-Match: " + tag + "\r\nIf-None-Match: " + tag + "\r\n") == 304);
    const auto unchanged = world.get("a.txt", "If-None-Match: *\r\n");
    CHECK(unchanged.has("ETag: " + tag));
    CHECK(unchanged.content.empty());
    CHECK(world.get("a.txt", "If-None-Match: *\r\n", "HEAD").code == 304);
    CHECK(world.code("nowhere", "If-Match: *\r\n") == 404);
    world.disk.write("a.txt", "something else");
    CHECK(code("If-None-Match: " + tag + "\r\n") == 200);
}

TEST_CASE("a range is answered with that part (RFC 9110 14)", "[static_files]") {
    files_world world;
    const auto part = [&world](const std::string& range, const std::string& fields = "") {
        const auto reply = world.get("a.txt", "Range: " + range + "\r\n" + fields);
        const auto at = reply.head.find("Content-Range: ");
        const std::string where =
            at == std::string::npos
                ? ""
                : " " + reply.head.substr(at + 15, reply.head.find('\r', at) - at - 15);
        return std::to_string(reply.code) + where +
               (reply.code == 206 ? " " + reply.content : std::string());
    };
    CHECK(part("bytes=0-0") == "206 bytes 0-0/10 0");
    CHECK(part("bytes=2-5") == "206 bytes 2-5/10 2345");
    CHECK(part("BYTES=7-") == "206 bytes 7-9/10 789");
    CHECK(part("bytes=7-99999999999999999999") == "206 bytes 7-9/10 789");
    CHECK(part("bytes=-3") == "206 bytes 7-9/10 789");
    CHECK(part("bytes=-30") == "206 bytes 0-9/10 0123456789");
    CHECK(part("bytes=10-") == "416 bytes */10");
    CHECK(part("bytes=-0") == "416 bytes */10");
    CHECK(part("bytes=99999999999999999999-") == "416 bytes */10");
    // What is malformed, unknown, or several parts at once, is answered with the whole.
    for (const char* range : {"bytes=5-2", "bytes=-", "bytes=", "bytes=a-b", "bytes=1", "lines=1-2",
                              "bytes=+1-2", "bytes=0-1,3-4", "bytes 0-1", "bytes=1-2-3"}) {
        CAPTURE(range);
        CHECK(part(range) == "200");
    }
    const std::string tag = world.tag();
    CHECK(part("bytes=0-0", "If-Range: " + tag + "\r\n") == "206 bytes 0-0/10 0");
    CHECK(part("bytes=0-0", "If-Range: W/" + tag + "\r\n") == "200");
    CHECK(part("bytes=0-0", "If-Range: \"x\"\r\n") == "200");
    CHECK(part("bytes=0-0", "If-Range: " + modified_text + "\r\n") == "206 bytes 0-0/10 0");
    CHECK(part("bytes=0-0", "If-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n") == "200");
    CHECK(part("bytes=10-", "If-None-Match: *\r\n") == "304");
    CHECK(world.get("a.txt", "Range: bytes=0-0\r\n", "HEAD").code == 200);
    CHECK(world.get("empty.html", "Range: bytes=0-\r\n").code == 416);
    world.disk.write("large", distinct_bytes(300'000));
    CHECK(world.get("large", "Range: bytes=100000-299998\r\n").content ==
          distinct_bytes(300'000).substr(100'000, 199'999));
}

TEST_CASE("a large file arrives whole, whether it is in memory or not", "[static_files]") {
    files_world world(GENERATE(range(1u, 10u)));
    const std::string content = distinct_bytes(600'000);
    world.disk.write("large", content);
    world.shard.network().options.caches_files = GENERATE(true, false);
    auto asking = world.client();
    asking.send_get("/f/large");
    CHECK(asking.reply().content == content);
    asking.send("GET /f/large HTTP/1.1\r\nHost: h\r\nRange: bytes=300000-\r\n\r\n"
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(asking.reply().content == content.substr(300'000));
    CHECK(asking.reply().content == "hello");
}

TEST_CASE("a peer has its time for each piece of a file, not for all of it", "[static_files]") {
    server_options options;
    options.send_time = std::chrono::milliseconds(200);
    files_world world(0, options);
    const std::string content = distinct_bytes(1'000'000);
    world.disk.write("large", content);
    auto asking = world.client();
    asking.send_get("/f/large");
    std::string received;
    const auto started = world.now();
    world.shard.run([&] {
        return do_until([&] { return received.size() > content.size(); },
                        [&] {
                            return asking.input().read().then([&](temporary_buffer<char>&& piece) {
                                received.append(piece.view());
                                return sleep(std::chrono::milliseconds(piece.empty() ? 100 : 5));
                            });
                        });
    });
    CHECK(received.ends_with(content));
    CHECK(world.now() - started > std::chrono::milliseconds(400));
}

TEST_CASE("a large file does not pass through our memory", "[static_files]") {
    const auto kind = GENERATE(from_range(backends_to_test()));
    std::size_t send_count = 0;
    http_world<real_shard> world(std::make_unique<counting_backend>(kind, send_count));
    const files_on_disk disk;
    static_files files(disk.scratch.path("root"), at_once());
    world.table.add({method::get}, "/f/*", [&files](const request& asked) {
        return files.answer(asked, asked.parameter("*").value_or("?"));
    });
    const std::string content = distinct_bytes(3'000'000);
    disk.write("large", content);
    auto asking = world.client();
    asking.send_get("/f/large");
    CHECK(asking.reply().content == content);
    CHECK(send_count == 2);  // The request, and the head of the reply.
}

TEST_CASE("a file that changes its length while it is sent never breaks the framing",
          "[static_files]") {
    struct recorder final : content_carrier {
        std::string carried;
        future<> carry(gather_list&& pieces, bool) override {
            for (const auto& piece : pieces) {
                carried.append(piece.view());
            }
            return make_ready_future<>();
        }
    };
    files_world world;
    const std::string content = distinct_bytes(500'000);
    world.disk.write("large", content);
    const limits bounds;
    request_parser parser(bounds);
    const std::string text = "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
    REQUIRE(parser.parse(text) == parse_result::complete);
    const request asked(text.data(), parser.head());
    reply answer = world.shard.run([&] { return world.files.answer(asked, "large"); });
    recorder carrier;
    auto out = answer.make_writer(carrier, {});
    const auto send = [&] {
        world.shard.run([&] { return answer.stream()(out).then([&out] { return out.finish(); }); });
    };
    SECTION("one that grows is sent as long as was said") {
        std::ofstream(world.disk.path("large"), std::ios::app) << "more";
        send();
        CHECK(carrier.carried == content);
    }
    SECTION("one that shrinks cuts the connection off") {
        std::filesystem::resize_file(world.disk.path("large"), 300'000);
        CHECK_THROWS_AS(send(), std::runtime_error);
        CHECK(content.starts_with(carrier.carried));
    }
}

TEST_CASE("names tell what kind of content a file holds", "[static_files]") {
    CHECK(mime_type_of("a/index.html").text() == "text/html; charset=utf-8");
    CHECK(mime_type_of("A.JPEG").text() == "image/jpeg");
    CHECK(mime_type_of("a.tar.gz").text() == "application/gzip");
    CHECK(mime_type_of("a.7z").text() == "application/x-7z-compressed");
    CHECK(mime_type_of("a.zst").text() == "application/zstd");
    for (const char* name : {"", "html", "a.", "a.unknown", "a.a-very-long-extension-it-is"}) {
        CHECK(mime_type_of(name).text() == "application/octet-stream");
    }
}
