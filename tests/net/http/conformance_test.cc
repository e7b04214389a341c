// What a server must refuse, and what it must not, requirement by requirement: RFC 9110 and 9112,
// over real sockets, with requests that come whole and byte by byte.
#include <miniss/net/http/server.hh>

#include <miniss/tests/net/http/http_world.hh>
#include <miniss/tests/net/raw_peer.hh>

using namespace miniss;
using namespace miniss::http;
using std::string_literals::operator""s;

namespace {

using world_type = http_world<real_shard>;

struct requirement {
    const char* section;
    const char* what;
    std::string bytes;
    unsigned code;
};

const std::string get = "GET / HTTP/1.1\r\n";
const std::string host = "Host: h\r\n";
const std::string end = "\r\n";
const std::string post = "POST /echo HTTP/1.1\r\nHost: h\r\n";
const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";

std::string with_line(const std::string& line) { return get + host + line + end + end; }
std::string with_host(const std::string& line) { return get + line + end + end; }
std::string with_length(const std::string& length) {
    return post + "Content-Length: " + length + "\r\n\r\nabc";
}
std::string with_coding(const std::string& coding) {
    return post + "Transfer-Encoding: " + coding + "\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
}

const std::vector<requirement> framing = {
    {"RFC 9112 6.1, 6.3", "Content-Length and Transfer-Encoding",
     post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"RFC 9112 6.1, 6.3", "Transfer-Encoding and Content-Length",
     post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
    {"RFC 9112 6.3", "lengths that differ",
     post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
    {"RFC 9110 8.6", "equal lengths, repeated",
     post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"RFC 9110 8.6", "a list of equal lengths", with_length("3, 3"), 400},
    {"RFC 9112 6.3", "a list of other lengths", with_length("3,4"), 400},
    {"RFC 9110 8.6", "a length with a plus", with_length("+3"), 400},
    {"RFC 9110 8.6", "a length with a minus", with_length("-3"), 400},
    {"RFC 9110 8.6", "a length in hexadecimal", with_length("0x3"), 400},
    {"RFC 9110 8.6", "a length with a fraction", with_length("3.0"), 400},
    {"RFC 9110 8.6", "a length with a space in it", with_length("3 3"), 400},
    {"RFC 9110 8.6", "a length that is empty", with_length(""), 400},
    {"RFC 9110 8.6", "a length of 2^64", with_length("18446744073709551616"), 400},
    {"RFC 9110 8.6", "a length of 2^64 + 3", with_length("18446744073709551619"), 400},
    {"RFC 9110 15.5.14", "a length beyond the limit", with_length("18446744073709551615"), 413},
    {"RFC 9112 6.3", "a coding that is not chunked", with_coding("gzip"), 400},
    {"RFC 9112 6.3", "identity, which is no coding any more", with_coding("identity"), 400},
    {"RFC 9112 6.3", "chunked that is not final", with_coding("chunked, gzip"), 400},
    {"RFC 9112 6.1", "chunked twice", with_coding("chunked, chunked"), 400},
    {"RFC 9112 6.1", "another coding before chunked", with_coding("gzip, chunked"), 501},
    {"RFC 9112 6.1", "a coding that only looks like chunked", with_coding("xchunked"), 400},
    {"RFC 9112 7", "chunked with a parameter", with_coding("chunked;q=1"), 400},
    {"RFC 9112 6.3", "chunked in quotes", with_coding("\"chunked\""), 400},
    {"RFC 9112 6.3", "no coding at all", with_coding(""), 400},
    {"RFC 9112 6.3", "codings in two fields", with_coding("chunked\r\nTransfer-Encoding: chunked"),
     400},
    {"RFC 9112 6.1", "a coding in HTTP/1.0",
     "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
};

const std::vector<requirement> chunks = {
    {"RFC 9112 7.1", "a size that is no number", chunked + "x\r\n", 400},
    {"RFC 9112 7.1", "a size that is missing", chunked + "\r\n", 400},
    {"RFC 9112 7.1", "a size with a sign", chunked + "+3\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "a size with a prefix", chunked + "0x3\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "white space before a size", chunked + " 3\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "white space behind a size", chunked + "3 \r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "a size of more than 64 bits", chunked + "10000000000000003\r\nabc\r\n", 400},
    {"RFC 9110 15.5.14", "a size beyond the limit", chunked + "ffffffffffffffff\r\nabc\r\n", 413},
    {"RFC 9112 7.1", "LF alone behind a size", chunked + "3\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "CR alone behind a size", chunked + "3\rabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "a chunk longer than its size", chunked + "3\r\nabcd\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1", "LF alone behind a chunk", chunked + "3\r\nabc\n0\r\n\r\n", 400},
    {"RFC 9112 7.1.1", "an extension without a name", chunked + "3;=a\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1.1", "an extension without a value", chunked + "3;a=\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1.1", "LF within an extension", chunked + "3;a\nb\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1.1", "CR within a quoted extension", chunked + "3;a=\"\rb\"\r\nabc\r\n0\r\n\r\n",
     400},
    {"RFC 9112 7.1.1", "a quotation without end", chunked + "3;a=\"b\r\nabc\r\n0\r\n\r\n", 400},
    {"RFC 9112 7.1.2", "a trailer without a name", chunked + "0\r\n: b\r\n\r\n", 400},
    {"RFC 9112 7.1.2", "a trailer without a colon", chunked + "0\r\nA\r\n\r\n", 400},
    {"RFC 9112 5.1", "white space before a trailer's colon", chunked + "0\r\nA : b\r\n\r\n", 400},
    {"RFC 9112 5.2", "a trailer that is folded", chunked + "0\r\nA: b\r\n c\r\n\r\n", 400},
    {"RFC 9112 2.2", "LF alone behind a trailer", chunked + "0\r\nA: b\n\r\n", 400},
    {"RFC 9110 5.5", "NUL in a trailer", chunked + "0\r\nA: \0\r\n\r\n"s, 400},
    {"RFC 9112 7.1", "LF alone at the end", chunked + "0\r\n\n", 400},
};

const std::vector<requirement> field_lines = {
    {"RFC 9112 5.1", "a space before the colon", with_line("A : b"), 400},
    {"RFC 9112 5.1", "a tab before the colon", with_line("A\t: b"), 400},
    {"RFC 9112 5.1", "a space before the colon of a length", post + "Content-Length : 3\r\n\r\nabc",
     400},
    {"RFC 9112 5.2", "a line that is folded", with_line("A: b\r\n c"), 400},
    {"RFC 9112 5.2", "a line that is folded with a tab", with_line("A: b\r\n\tc"), 400},
    {"RFC 9112 2.2", "white space before the first line", get + " A: b\r\n" + host + end, 400},
    {"RFC 9112 5", "a line without a colon", with_line("A"), 400},
    {"RFC 9110 5.1", "a line without a name", with_line(": b"), 400},
    {"RFC 9110 5.1", "a name with a byte that is not of a token", with_line("A(b): c"), 400},
    {"RFC 9110 5.1", "a name with a byte above 127", with_line("\xc3\xa4: b"), 400},
    {"RFC 9112 2.2", "CR within a value", with_line("A: b\rc"), 400},
    {"RFC 9112 2.2", "LF within a value", with_line("A: b\nC: d"), 400},
    {"RFC 9112 2.2", "LF alone at the end of the head", get + host + "\n", 400},
    {"RFC 9112 2.2", "CR alone at the end of the head", get + host + "\r" + get, 400},
    {"RFC 9110 5.5", "NUL within a value", with_line("A: b\0c"s), 400},
    {"RFC 9110 5.5", "a control byte within a value", with_line("A: b\x01"), 400},
    {"RFC 9110 5.5", "DEL within a value", with_line("A: b\x7f"), 400},
    {"RFC 9110 5.1", "NUL within a name", with_line("A\0: b"s), 400},
    {"RFC 9110 10.1.1", "an expectation nobody knows", with_line("Expect: more"), 417},
};

const std::vector<requirement> hosts = {
    {"RFC 9112 3.2", "no Host", get + end, 400},
    {"RFC 9112 3.2", "two Hosts", with_host("Host: a\r\nHost: b"), 400},
    {"RFC 9112 3.2", "two equal Hosts", with_host("Host: a\r\nHost: a"), 400},
    {"RFC 9112 3.2", "a list of hosts", with_host("Host: a, b"), 400},
    {"RFC 9112 3.2", "a Host with a space", with_host("Host: a b"), 400},
    {"RFC 9112 3.2", "a Host with a path", with_host("Host: a/b"), 400},
    {"RFC 9112 3.2", "a Host with user information", with_host("Host: u@a"), 400},
    {"RFC 9112 3.2", "a Host with a port that is no number", with_host("Host: a:b"), 400},
    {"RFC 9112 3.2", "a Host with a port beyond 65535", with_host("Host: a:65536"), 400},
    {"RFC 3986 3.2.2", "a Host in brackets that is no address", with_host("Host: [a]"), 400},
    {"RFC 9112 3.2.2", "a target with another host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
     400},
    {"RFC 9112 3.2.2", "a target with another port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9112 3.2.2", "a target with a host and an empty Host",
     "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"RFC 9110 4.2.4", "a target with user information",
     "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"RFC 9110 7.4", "a target of another scheme", "GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
     421},
};

const std::vector<requirement> request_lines = {
    {"RFC 9110 15.6.6", "HTTP/2.0", "GET / HTTP/2.0\r\n" + host + end, 505},
    {"RFC 9110 15.6.6", "HTTP/1.2", "GET / HTTP/1.2\r\n" + host + end, 505},
    {"RFC 9110 15.6.6", "HTTP/0.9, by name", "GET / HTTP/0.9\r\n" + host + end, 505},
    {"RFC 9112 2.3", "HTTP/0.9, without a version", "GET /\r\n", 400},
    {"RFC 9112 2.3", "a version in lower case", "GET / http/1.1\r\n" + host + end, 400},
    {"RFC 9112 2.3", "a version with two digits", "GET / HTTP/1.10\r\n" + host + end, 400},
    {"RFC 9112 3", "two spaces", "GET  / HTTP/1.1\r\n" + host + end, 400},
    {"RFC 9112 3", "a tab for a space", "GET\t/ HTTP/1.1\r\n" + host + end, 400},
    {"RFC 9112 3", "a space at the end", "GET / HTTP/1.1 \r\n" + host + end, 400},
    {"RFC 9112 2.2", "LF alone behind the version", "GET / HTTP/1.1\n" + host + end, 400},
    {"RFC 9112 2.2", "CR alone behind the version", "GET / HTTP/1.1\r" + host + end, 400},
    {"RFC 9112 3.2", "white space within the target", "GET /a b HTTP/1.1\r\n" + host + end, 400},
    {"RFC 9112 3.2", "NUL within the target", "GET /\0 HTTP/1.1\r\n"s + host + end, 400},
    {"RFC 9112 3.2", "a fragment", "GET /#a HTTP/1.1\r\n" + host + end, 400},
    {"RFC 9112 3.2.4", "an asterisk without OPTIONS", "GET * HTTP/1.1\r\n" + host + end, 400},
    {"RFC 3986 2.1", "a malformed escape", "GET /%4g HTTP/1.1\r\n" + host + end, 400},
    {"RFC 9110 9.1", "a method nobody knows", "BREW / HTTP/1.1\r\n" + host + end, 501},
    {"RFC 9110 9.1", "a method in lower case", "get / HTTP/1.1\r\n" + host + end, 501},
    {"RFC 9110 9.1", "a method that is no token", "G@T / HTTP/1.1\r\n" + host + end, 400},
    {"RFC 9112 2.2", "two empty lines before", "\r\n\r\n" + get + host + end, 400},
};

const std::vector<requirement> accepted = {
    {"RFC 9112 2.2", "an empty line before", end + get + host + end, 200},
    {"RFC 9112 5.1", "white space around a value", with_line("A: \t b \t"), 200},
    {"RFC 9110 5.1", "a name in any case", get + "hOsT: h\r\n\r\n", 200},
    {"RFC 9110 5.5", "a value with bytes above 127", with_line("A: \xc3\xa4"), 200},
    {"RFC 9112 3.2", "an empty Host", with_host("Host:"), 200},
    {"RFC 9112 3.2", "HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 200},
    {"RFC 9112 3.2.2", "the host of the target, in any case and with its port",
     "GET HTTP://H/ HTTP/1.1\r\nHost: h:80\r\n\r\n", 200},
    {"RFC 9110 9.1", "a method that is known but not allowed here",
     "DELETE / HTTP/1.1\r\n" + host + end, 405},
    {"RFC 9112 3.2.4", "OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + end, 204},
    {"RFC 9110 8.6", "a length with leading zeros", with_length("003"), 200},
    {"RFC 9112 6.1", "chunked in any case", with_coding("CHUNKED"), 200},
    {"RFC 9112 7.1", "a size in any case", chunked + "A\r\n0123456789\r\n0\r\n\r\n", 200},
    {"RFC 9112 7.1", "several zeros", chunked + "00\r\n\r\n", 200},
    {"RFC 9112 7.1.1", "extensions", chunked + "1;a;b=c ; d = \"e\\\"\"\r\nx\r\n0;f\r\n\r\n", 200},
    {"RFC 9112 7.1.2", "trailers", chunked + "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", 200},
};

// Each on a connection of its own, all at once; those that were not answered get their next byte
// when the server has looked at the last one.
std::vector<raw_peer> send(world_type& world, const std::vector<requirement>& rows, bool whole) {
    std::vector<raw_peer> peers;
    std::size_t longest = 0;
    for (const auto& row : rows) {
        peers.push_back(raw_peer::connect_to(world.address));
        longest = std::max(longest, row.bytes.size());
        if (whole) {
            peers.back().send(row.bytes);
        }
    }
    for (std::size_t at = 0; !whole && at < longest; ++at) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (at < rows[i].bytes.size() && !peers[i].gone()) {
                peers[i].send(rows[i].bytes.substr(at, 1));
            }
        }
        world.shard.run_until([turns = 0]() mutable { return ++turns == 3; });
    }
    return peers;
}

}  // namespace

TEST_CASE("what the RFCs forbid is refused, by its status and the end of the connection",
          "[conformance]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    const bool whole = GENERATE(true, false);
    CAPTURE(whole);
    for (const auto* rows : {&framing, &chunks, &field_lines, &hosts, &request_lines}) {
        auto peers = send(world, *rows, whole);
        for (std::size_t i = 0; i < rows->size(); ++i) {
            const auto& [section, what, bytes, code] = (*rows)[i];
            INFO(section << ": " << what);
            world.shard.run_until([&] { return peers[i].gone(); });
            auto replies = peers[i].received();
            const auto refused = take_reply(replies);
            CHECK(refused.code == code);
            CHECK(refused.closes());
            CHECK(replies.empty());
            CHECK(peers[i].error() == 0);
        }
    }
    world.run_until_connected(0);
}

TEST_CASE("what the RFCs allow is served, and does not end the connection", "[conformance]") {
    world_type world(GENERATE(from_range(backends_to_test())));
    const bool whole = GENERATE(true, false);
    CAPTURE(whole);
    auto peers = send(world, accepted, whole);
    for (std::size_t i = 0; i < accepted.size(); ++i) {
        const auto& [section, what, bytes, code] = accepted[i];
        INFO(section << ": " << what);
        received_reply served;
        world.shard.run_until([&] {
            auto replies = peers[i].received();
            served = take_reply(replies);
            return served.code != 0 && replies.empty();
        });
        CHECK(served.code == code);
        CHECK(served.closes() == (bytes.find("HTTP/1.0") != std::string::npos));
    }
}
