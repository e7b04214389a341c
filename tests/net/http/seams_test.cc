// Tests of what can be put below a server, beside it and behind it: other byte streams, content
// codings, other protocols.
#include <miniss/net/http/upgrade.hh>

#include <algorithm>
#include <fstream>

#include <miniss/core/file.hh>
#include <miniss/net/http/request_parser.hh>
#include <miniss/tests/ignored_failures.hh>
#include <miniss/tests/net/http/http_world.hh>
#include <miniss/tests/net/scratch_directory.hh>

using namespace miniss;
using namespace miniss::http;
using namespace std::chrono_literals;

namespace {

std::string flipped(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return static_cast<char>(c ^ 0x55); });
    return text;
}

// A layer over a stream, as TLS is one: all bytes are changed in both directions.
class flipping_stream final : public byte_stream {
    std::unique_ptr<byte_stream> _below;

public:
    explicit flipping_stream(std::unique_ptr<byte_stream> below) : _below(std::move(below)) {}
    future<temporary_buffer<char>> get() override {
        return _below->get().then([](temporary_buffer<char>&& piece) {
            return make_buffer(flipped(std::string(piece.view())));
        });
    }
    future<> put(gather_list&& pieces) override {
        gather_list changed;
        for (const auto& piece : pieces) {
            changed.push_back(make_buffer(flipped(std::string(piece.view()))));
        }
        return _below->put(std::move(changed));
    }
    future<> close() override { return _below->close(); }
    bool interrupt_get() noexcept override { return _below->interrupt_get(); }
    void abort() noexcept override { _below->abort(); }
    socket_address remote_address() const noexcept override { return _below->remote_address(); }
};

// A connection on which nothing can be sent.
class mute_stream final : public byte_stream {
    std::unique_ptr<byte_stream> _below;

public:
    explicit mute_stream(std::unique_ptr<byte_stream> below) : _below(std::move(below)) {}
    future<temporary_buffer<char>> get() override { return _below->get(); }
    future<> put(gather_list&&) override {
        return make_exception_future<>(std::system_error(EPIPE, std::system_category(), "send"));
    }
    future<> close() override { return _below->close(); }
    bool interrupt_get() noexcept override { return _below->interrupt_get(); }
    void abort() noexcept override { _below->abort(); }
    socket_address remote_address() const noexcept override { return _below->remote_address(); }
};

// Puts what is encoded at once into angle brackets, and an exclamation mark behind it all.
class bracket_encoder final : public content_encoder {
    void encode(std::string_view bytes, std::string& to) override {
        to.append("<").append(bytes).append(">");
    }
    void flush(std::string&) override {}
    void finish(std::string& to) override { to.append("!"); }
};

class bracket_coding final : public content_coding {
public:
    literal name() const noexcept override { return "brackets"; }
    std::unique_ptr<content_encoder> make_encoder(const reply& answer) override {
        return answer.content_type() == "image/png" ? nullptr : std::make_unique<bracket_encoder>();
    }
};

struct coding_world : http_world<test_shard> {
    bracket_coding brackets;

    coding_world() : http_world<test_shard>(0u) {
        served->add_coding(brackets);
        table.add({method::get}, "/reply", [](const request& asked) {
            reply answer(asked.header("X-Status") ? status::partial_content : status::ok,
                         "text/plain", "plain");
            if (const auto tag = asked.header("X-Tag")) {
                answer.add_header("ETag", *tag);
            }
            if (const auto control = asked.header("X-Control")) {
                answer.add_header("Cache-Control", *control);
            }
            return make_ready_future<reply>(std::move(answer));
        });
        table.add({method::get}, "/picture", [](const request&) {
            return make_ready_future<reply>(reply(status::ok, "image/png", "plain"));
        });
        table.add({method::get}, "/stream", [](const request&) {
            return make_ready_future<reply>(
                reply::streamed(status::ok, "text/plain", 4, [](content_writer& out) {
                    return out.write("ab").then([&out] { return out.flush(); }).then([&out] {
                        return out.write("cd");
                    });
                }));
        });
    }

    std::string ask(const std::string& line, const std::string& fields) {
        auto asking = client();
        asking.send(line + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + fields + "\r\n");
        return asking.rest();
    }
    bool is_encoded(const std::string& fields) {
        return ask("GET /reply", fields).ends_with("\r\n\r\n<plain>!");
    }
};

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

const std::string ask_upgrade =
    "GET /switch HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: Echo\r\n\r\n";

future<> echo_all(input_stream<char>& in, output_stream<char>& out) {
    return repeat([&in, &out] {
        return in.read().then([&out](temporary_buffer<char>&& piece) {
            const auto stop = piece.empty() ? stop_iteration::yes : stop_iteration::no;
            return out.write(std::move(piece)).then([&out] { return out.flush(); }).then([stop] {
                return stop;
            });
        });
    });
}

// A world where GET /switch goes over to another protocol.
template <typename Shard>
struct upgrade_world : http_world<Shard> {
    template <typename Where>
    explicit upgrade_world(Where where, void (*fail)() = nullptr)
        : http_world<Shard>(std::move(where)) {
        this->table.add({method::get}, "/switch", [fail](const request& asked) {
            if (!asks_for_upgrade(asked, "echo")) {
                return make_ready_future<reply>(make_error_reply(status::upgrade_required));
            }
            return make_ready_future<reply>(reply::switch_protocols(
                "echo", [fail](input_stream<char>& in, output_stream<char>& out) {
                    if (fail != nullptr) {
                        fail();
                    }
                    return echo_all(in, out);
                }));
        });
        this->table.add_streaming(
            {method::post}, "/switch", [](const request&, input_stream<char>&) {
                return make_ready_future<reply>(reply::switch_protocols("echo", echo_all));
            });
    }
};

bool asks(const std::string& fields, const char* version = "1.1") {
    const std::string text =
        std::string("GET / HTTP/") + version + "\r\nHost: h\r\n" + fields + "\r\n";
    const limits bounds;
    request_parser parser(bounds);
    REQUIRE(parser.parse(text) == parse_result::complete);
    return asks_for_upgrade(request(text.data(), parser.head()), "echo");
}

}  // namespace

TEST_CASE("a layer over the socket carries requests and replies, and its patience is limited too",
          "[server][seams]") {
    test_shard shard(GENERATE(range(0u, 5u)));
    routes table;
    table.add_any_method("/echo", [](const request& asked) {
        return make_ready_future<reply>(
            reply(status::ok, "text/plain", std::string(asked.content)));
    });
    scratch_directory scratch;
    const std::string content = distinct_bytes(200'000);
    std::ofstream(scratch.path("file"), std::ios::binary) << content;
    const file source = shard.run([&] { return open_file(scratch.path("file"), open_flags::ro); });
    table.add({method::get}, "/file", [&source](const request&) {
        return make_ready_future<reply>(reply::streamed(
            status::ok, "text/plain", 199'999,
            [&source](content_writer& out) { return out.send_file(source, 1, 199'999); }));
    });
    server_options options;
    options.head_time = 100ms;
    server served(table, options);
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto address = listener.local_address();
    served.start(std::move(listener), [](connected_socket&& peer) {
        return std::make_unique<flipping_stream>(peer.stream());
    });
    http_client<test_shard> client(shard, address);
    client.send(flipped("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                        "GET /file HTTP/1.1\r\nHost: h\r\n\r\n"
                        "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                        "Content-Length: 2\r\n\r\nde"));
    std::string all = flipped(client.rest());
    CHECK(take_reply(all).content == "abc");
    CHECK(take_reply(all).content == content.substr(1));
    CHECK(take_reply(all).content == "de");
    shard.run([&source] { return source.close(); });
    http_client<test_shard> slow(shard, address);
    slow.send(flipped("GET"));
    CHECK(flipped(slow.rest()).starts_with("HTTP/1.1 408 "));
    shard.run([&] { return served.stop(shard.now() + 1s); });
}

// The head of the streamed reply is what makes the output too long to be kept.
TEST_CASE("a connection ends when not even the head of a streamed reply can be sent",
          "[server][seams]") {
    test_shard shard;
    const std::string large(8000, 'x');
    routes table;
    table.add({method::get}, "/large", [&large](const request&) {
        return make_ready_future<reply>(reply(status::ok, "text/plain", large));
    });
    table.add({method::get}, "/stream", [&large](const request&) {
        auto answer = reply::streamed(status::ok, "text/plain", 2,
                                      [](content_writer& out) { return out.write("ab"); });
        answer.add_header("X-Large", large);
        return make_ready_future<reply>(std::move(answer));
    });
    server served(table, {});
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto address = listener.local_address();
    served.start(std::move(listener), [](connected_socket&& peer) {
        return std::make_unique<mute_stream>(peer.stream());
    });
    for (int before = 0; before < 20; ++before) {
        std::string asked;
        for (int i = 0; i < before; ++i) {
            asked += "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
        }
        http_client<test_shard> client(shard, address);
        client.send(asked + "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(client.rest().empty());
    }
    shard.run([&] { return served.stop(shard.now() + 1s); });
}

TEST_CASE("a connection whose stream cannot be made is closed, and others are served",
          "[server][seams]") {
    test_shard shard;
    const expect_ignored_failures reported(1);
    routes table;
    server_options options;
    options.connection_count_max = 1;
    server served(table, options);
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto address = listener.local_address();
    served.start(std::move(listener), [first = true](connected_socket&& peer) mutable {
        if (std::exchange(first, false)) {
            throw std::runtime_error("no stream");
        }
        return peer.stream();
    });
    CHECK(http_client<test_shard>(shard, address).ended());
    CHECK(http_client<test_shard>(shard, address).get("/").code == 404);
    shard.run([&] { return served.stop(shard.now() + 1s); });
}

TEST_CASE("replies are encoded for those who accept it", "[server][coding]") {
    coding_world world;
    const std::string encoded = world.ask("GET /reply", "Accept-Encoding: gzip, Brackets\r\n");
    CHECK(encoded.ends_with("\r\n\r\n<plain>!"));
    CHECK(contains(encoded, "\r\nContent-Encoding: brackets\r\n"));
    CHECK(contains(encoded, "\r\nContent-Length: 8\r\n"));
    CHECK(contains(encoded, "\r\nVary: Accept-Encoding\r\n"));
    const std::string plain = world.ask("GET /reply", "");
    CHECK(plain.ends_with("\r\n\r\nplain"));
    CHECK_FALSE(contains(plain, "Content-Encoding"));
    CHECK(contains(plain, "\r\nVary: Accept-Encoding\r\n"));
    const std::string head = world.ask("HEAD /reply", "Accept-Encoding: brackets\r\n");
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(contains(head, "\r\nContent-Length: 8\r\n"));
    CHECK(world.is_encoded("Accept-Encoding: gzip\r\nAccept-Encoding: *;q=0.1\r\n"));
    CHECK_FALSE(world.is_encoded("Accept-Encoding: brackets;q=0\r\n"));
}

TEST_CASE("what a coding declines, parts, and what must not be transformed stay as they are",
          "[server][coding]") {
    coding_world world;
    const std::string accept = "Accept-Encoding: brackets\r\n";
    CHECK(world.ask("GET /picture", accept).ends_with("\r\n\r\nplain"));
    CHECK_FALSE(world.is_encoded(accept + "X-Control: private, No-Transform\r\n"));
    CHECK_FALSE(world.is_encoded(accept + "X-Status: 206\r\n"));
    CHECK(world.is_encoded(accept + "X-Control: private\r\n"));
}

TEST_CASE("a strong entity tag becomes a weak one when the content is encoded",
          "[server][coding]") {
    coding_world world;
    const auto tagged = [&world](const std::string& tag) {
        return world.ask("GET /reply", "Accept-Encoding: brackets\r\nX-Tag: " + tag + "\r\n");
    };
    CHECK(contains(tagged("\"a\""), "\r\nETag: W/\"a\"\r\n"));
    CHECK(contains(tagged("W/\"a\""), "\r\nETag: W/\"a\"\r\n"));
}

TEST_CASE("streamed content is encoded piece by piece, and its length is forgotten",
          "[server][coding]") {
    coding_world world;
    const std::string reply = world.ask("GET /stream", "Accept-Encoding: brackets\r\n");
    CHECK(contains(reply, "\r\nTransfer-Encoding: chunked\r\n"));
    CHECK_FALSE(contains(reply, "Content-Length"));
    CHECK(reply.ends_with("\r\n\r\n4\r\n<ab>\r\n4\r\n<cd>\r\n1\r\n!\r\n0\r\n\r\n"));
    CHECK(world.ask("GET /stream", "").ends_with("\r\n\r\nabcd"));
}

TEST_CASE("codings are weighed as the peer asks (RFC 9110 12.5.3)", "[coding]") {
    CHECK(coding_weight("gzip", "gzip") == 1000);
    CHECK(coding_weight("a, GZIP ; q=0.5 ,b", "gzip") == 500);
    CHECK(coding_weight("gzip;q=0.001", "gzip") == 1);
    CHECK(coding_weight("gzip;q=1.000", "gzip") == 1000);
    CHECK(coding_weight("*;q=0.3, gzip;q=0", "gzip") == 0);
    CHECK(coding_weight("*;q=0.3, br", "gzip") == 300);
    CHECK(coding_weight("", "gzip") == 0);
    CHECK(coding_weight("br", "gzip") == 0);
    for (const char* malformed : {"gzip;q=2", "gzip;q=0.1234", "gzip;q=", "gzip;q=1.001",
                                  "gzip;x=1", "gzip;q=0,5", "gzip;q=.5", "gzip;q=-1"}) {
        CAPTURE(malformed);
        CHECK(coding_weight(malformed, "gzip") == 0);
    }
}

TEMPLATE_TEST_CASE("an upgrade hands the connection over, with what came behind the request",
                   "[connection][upgrade]", test_shard, real_shard) {
    upgrade_world<TestType> world(GENERATE(from_range(places<TestType>())));
    auto client = world.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n" + ask_upgrade + "at once, ");
    CHECK(client.reply().content == "hello");
    const auto switched = client.reply();
    CHECK(switched.code == 101);
    CHECK(switched.has("Connection: Upgrade"));
    CHECK(switched.has("Upgrade: echo"));
    client.send("GET / HTTP/1.1\r\n\r\n");
    client.finish();
    CHECK(client.rest() == "at once, GET / HTTP/1.1\r\n\r\n");
    world.run_until_connected(0);
}

TEST_CASE("only who asks for it is switched over (RFC 9110 7.8)", "[connection][upgrade]") {
    CHECK(asks("Connection: upgrade\r\nUpgrade: echo\r\n"));
    CHECK(asks("connection: x\r\nCONNECTION: y , Upgrade\r\nupgrade: a/1\r\nupgrade: b, ECHO\r\n"));
    CHECK_FALSE(asks("Upgrade: echo\r\n"));
    CHECK_FALSE(asks("Connection: upgrade\r\n"));
    CHECK_FALSE(asks("Connection: upgrade\r\nUpgrade: echoes\r\n"));
    CHECK_FALSE(asks("Connection: upgrade\r\nUpgrade: echo\r\n", "1.0"));
    upgrade_world<test_shard> world(0u);
    CHECK(world.client().get("/switch").code == 426);
}

TEST_CASE("nobody is switched over in the middle of a request", "[connection][upgrade]") {
    upgrade_world<test_shard> world(GENERATE(range(0u, 5u)));
    const expect_ignored_failures reported(1);
    auto client = world.client();
    client.send("POST /switch HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    CHECK(client.reply().code == 500);
}

TEST_CASE("an upgraded connection is cut off when its function fails, or at the end of a stop",
          "[connection][upgrade]") {
    SECTION("its failures are reported") {
        const expect_ignored_failures reported(1);
        upgrade_world<test_shard> world(0u, [] { throw std::runtime_error("a bug"); });
        auto client = world.client();
        client.send(ask_upgrade);
        CHECK(client.reply().code == 101);
        CHECK(client.ended());
        CHECK(reported.so_far() == 1);
    }
    SECTION("a stop waits for it until its deadline") {
        upgrade_world<test_shard> world(0u);
        auto client = world.client();
        client.send(ask_upgrade);
        CHECK(client.reply().code == 101);
        const auto start = world.now();
        world.begin_stop(3000ms);
        client.send("still here");
        CHECK(client.rest() == "still here");
        CHECK(world.now() - start >= 2900ms);
    }
}
