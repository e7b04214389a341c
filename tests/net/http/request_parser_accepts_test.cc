// The request heads that must be understood, and what they mean.
#include <miniss/net/http/request_parser.hh>

#include <string>
#include <vector>

#include <miniss/tests/catch.hh>
#include <miniss/tests/net/http/parsed.hh>

using namespace miniss::http;

namespace {

struct accepted {
    const char* rule;
    std::string head;
    std::string meaning;
};

// Goal: the meaning does not depend on how the bytes arrive, nor on what follows the head.
void check(const accepted& row) {
    INFO(row.rule);
    const std::string meaning = row.meaning + " " + std::to_string(row.head.size());
    CHECK(parse_whole(row.head) == meaning);
    CHECK(find_differing_cut(row.head) == "");
    CHECK(bytes_until_verdict(row.head) == row.head.size());
    CHECK(parse_whole(row.head + "\r\n \x01 not a request") == meaning);
}

}  // namespace

TEST_CASE("request lines of every form are understood", "[http]") {
    check(GENERATE(values<accepted>({
        {"RFC 9112 3: the shortest request of HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET / 1.1 path=/ query= host=a keep [Host|a]"},
        {"RFC 9112 3: HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n",
         "GET / 1.0 path=/ query= host= close"},
        {"RFC 9112 2.2: one empty line in front is passed over",
         "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 path=/ query= host=a keep [Host|a]"},
        {"RFC 9112 3.2.1: origin form with a query",
         "POST /a/b.c?x=1&y=/? HTTP/1.1\r\nHost: a\r\n\r\n",
         "POST /a/b.c?x=1&y=/? 1.1 path=/a/b.c query=x=1&y=/? host=a keep [Host|a]"},
        {"RFC 9112 3.2.1: a query behind an escaped byte", "GET /%41?b HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /%41?b 1.1 path=/%41 query=b host=a keep [Host|a]"},
        {"RFC 9112 3.2.1: an empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /? 1.1 path=/ query= host=a keep [Host|a]"},
        {"RFC 3986 3.3: escaped bytes and empty segments stay as they are",
         "GET //%2e%2E/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET //%2e%2E/%00 1.1 path=//%2e%2E/%00 query= host=a keep [Host|a]"},
        {"browsers send these unescaped", "GET /[|]^`{}?[\\]^`{|}%z HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /[|]^`{}?[\\]^`{|}%z 1.1 path=/[|]^`{} query=[\\]^`{|}%z host=a keep [Host|a]"},
        {"RFC 9112 3.2.2: absolute form", "GET http://a.b:81/c?d HTTP/1.1\r\nHost: a.b:81\r\n\r\n",
         "GET http://a.b:81/c?d 1.1 path=/c query=d host=a.b:81 keep [Host|a.b:81]"},
        {"RFC 9110 4.2.3: an empty path is the root; port 80 is the default; case is ignored",
         "GET HTTP://A?q HTTP/1.1\r\nHost: a:80\r\n\r\n",
         "GET HTTP://A?q 1.1 path=/ query=q host=A keep [Host|a:80]"},
        {"RFC 9112 3.2.2: absolute form in HTTP/1.0 without Host", "GET http://a: HTTP/1.0\r\n\r\n",
         "GET http://a: 1.0 path=/ query= host=a: close"},
        {"RFC 9112 3.2.3: authority form", "CONNECT a.b:443 HTTP/1.1\r\nHost: A.B:443\r\n\r\n",
         "CONNECT a.b:443 1.1 path= query= host=a.b:443 keep [Host|A.B:443]"},
        {"RFC 9112 3.2.4: asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
         "OPTIONS * 1.1 path=* query= host=a keep [Host|a]"},
        {"RFC 9110 9.1: OPTIONS for a resource", "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n",
         "OPTIONS /a 1.1 path=/a query= host=a keep [Host|a]"},
    })));
}

TEST_CASE("every known method is recognised (RFC 9110 9.3)", "[http]") {
    const std::string name = GENERATE("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH");
    check({"RFC 9110 9.3", name + " / HTTP/1.1\r\nHost: a\r\n\r\n",
           name + " / 1.1 path=/ query= host=a keep [Host|a]"});
}

TEST_CASE("field lines are taken apart", "[http]") {
    const std::string line = "GET / HTTP/1.1\r\n";
    const std::string start = "GET / 1.1 path=/ query= host=";
    check(GENERATE_COPY(values<accepted>({
        {"RFC 9112 5: blanks around a value do not belong to it",
         line + "A:b\r\nhOST: \t a \t\r\nC:\r\nD: \t\r\nE:  f \t g\t\r\n\r\n",
         start + "a keep [A|b] [hOST|a] [C|] [D|] [E|f \t g]"},
        {"RFC 9110 5.3: the same name may come again, and order is kept",
         line + "Host: a\r\nB: 1\r\nb: 2\r\n\r\n", start + "a keep [Host|a] [B|1] [b|2]"},
        {"RFC 9110 5.5: bytes above 127 are opaque", line + "Host: a\r\nX: \x80\xff\r\n\r\n",
         start + "a keep [Host|a] [X|\x80\xff]"},
        {"names that differ from those the parser looks for",
         line + "Host: a\r\nHosT5: b\r\nHos~: c\r\nHost-: d\r\nContent-Length_: x\r\n" +
             "Content_Length: x\r\nTransfer-Encodinh: x\r\n\r\n",
         start + "a keep [Host|a] [HosT5|b] [Hos~|c] [Host-|d] [Content-Length_|x]" +
             " [Content_Length|x] [Transfer-Encodinh|x]"},
        {"RFC 9112 3.2: an empty Host", line + "Host:\r\n\r\n", start + " keep [Host|]"},
        {"RFC 9112 3.2: an empty Host behind a blank", line + "Host: \r\n\r\n",
         start + " keep [Host|]"},
        {"RFC 9112 3.2: a Host that is not the first field, with blanks around it",
         line + "A: b\r\nHost: \t a:1 \r\nC: d\r\n\r\n", start + "a:1 keep [A|b] [Host|a:1] [C|d]"},
        {"RFC 3986 3.2.2: an IPv6 address", line + "Host: [::1]:8080\r\n\r\n",
         start + "[::1]:8080 keep [Host|[::1]:8080]"},
        {"RFC 3986 3.2: a registered name with all it may hold, and an empty port",
         line + "Host: a-._~!$&'()*+,;=%4a:\r\n\r\n",
         start + "a-._~!$&'()*+,;=%4a: keep [Host|a-._~!$&'()*+,;=%4a:]"},
        {"RFC 3986 3.2.3: the largest port", line + "Host: 127.0.0.1:65535\r\n\r\n",
         start + "127.0.0.1:65535 keep [Host|127.0.0.1:65535]"},
        {"RFC 3986 3.2.3: zeros before a port", line + "Host: a:000065535\r\n\r\n",
         start + "a:000065535 keep [Host|a:000065535]"},
    })));
}

TEST_CASE("what ends the content is understood", "[http]") {
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
    const std::string start = "POST / 1.1 path=/ query= host=a ";
    check(GENERATE_COPY(values<accepted>({
        {"RFC 9110 8.6: a length", head + "Content-Length: 42\r\n\r\n",
         start + "length=42 keep [Host|a] [Content-Length|42]"},
        {"RFC 9110 8.6: a length of nothing", head + "cONTENT-lENGTH:0\r\n\r\n",
         start + "length=0 keep [Host|a] [cONTENT-lENGTH|0]"},
        {"RFC 9110 8.6: leading zeros are digits",
         head + "Content-Length: 000000000000000000000000000000007\r\n\r\n",
         start + "length=7 keep [Host|a] [Content-Length|000000000000000000000000000000007]"},
        {"RFC 9112 7.1: chunks", head + "Transfer-Encoding: chunked\r\n\r\n",
         start + "chunked keep [Host|a] [Transfer-Encoding|chunked]"},
        {"RFC 9112 7: codings ignore case", head + "transfer-encoding:\tCHUNKED \r\n\r\n",
         start + "chunked keep [Host|a] [transfer-encoding|CHUNKED]"},
    })));
}

TEST_CASE("the peer's wish to go on is understood (RFC 9112 9.3)", "[http]") {
    struct wish {
        const char* version;
        const char* fields;
        bool keeps;
    };
    const wish row = GENERATE(values<wish>({
        {"1.1", "", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: CLOSE\r\n", false},
        {"1.1", "Connection: keep-alive\r\n", true},
        {"1.1", "Connection: Upgrade, HTTP2-Settings\r\n", true},
        {"1.1", "Connection: a ,,\tclose\t, b\r\n", false},
        {"1.1", "Connection: keep-alive\r\nconnection: close\r\n", false},
        {"1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
        {"1.1", "Connection: closed, xclose, clos\r\n", true},
        {"1.1", "Connectiom: close\r\n", true},
        {"1.1", "Keep-Alive: close\r\n", true},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: x, keep-alive\r\n", true},
        {"1.0", "Connection: keep-alive, x\r\n", true},
        {"1.0", "Connection: keep-alive, close\r\n", false},
        {"1.0", "Connection: keepalive\r\n", false},
    }));
    const std::string head =
        "GET / HTTP/" + std::string(row.version) + "\r\nHost: a\r\n" + row.fields + "\r\n";
    INFO(head);
    const std::string meaning = parse_whole(head);
    CHECK((meaning.find("host=a keep ") != std::string::npos) == row.keeps);
    CHECK((meaning.find("host=a close ") != std::string::npos) == !row.keeps);
    CHECK(find_differing_cut(head) == "");
}

TEST_CASE("a peer that waits for a 100 is recognised (RFC 9110 10.1.1)", "[http]") {
    struct expectation {
        const char* version;
        const char* fields;
        bool waits;
    };
    const expectation row = GENERATE(values<expectation>({
        {"1.1", "Content-Length: 1\r\nExpect: 100-continue\r\n", true},
        {"1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", true},
        {"1.1", "Content-Length: 1\r\nExpect: ,100-continue, 100-CONTINUE\r\n", true},
        {"1.1", "Content-Length: 1\r\n", false},
        {"1.1", "Content-Length: 1\r\nExpect: \r\n", false},
        {"1.1", "Content-Length: 1\r\nExpect: , ,\r\n", false},
        {"1.1", "Expect: 100-continue\r\n", false},
        {"1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n", false},
        {"1.0", "Content-Length: 1\r\nExpect: 100-continue\r\n", false},
    }));
    const std::string head =
        "PUT / HTTP/" + std::string(row.version) + "\r\nHost: a\r\n" + row.fields + "\r\n";
    INFO(head);
    CHECK((parse_whole(head).find(" continue ") != std::string::npos) == row.waits);
    CHECK(find_differing_cut(head) == "");
}

TEST_CASE("head_bytes() is where the next pipelined request begins", "[http]") {
    const std::string first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string second = "\r\nGET /2 HTTP/1.0\r\n\r\n";
    const std::string both = first + second;
    const limits bounds;
    request_parser parser(bounds);
    REQUIRE(parser.parse(both) == parse_result::complete);
    CHECK(parser.head_bytes() == first.size());
    parser.reset();
    CHECK(parse_prefix(parser, second, second.size()) ==
          "GET /2 1.0 path=/2 query= host= close 21");
}

TEST_CASE("reset() forgets everything about the request before", "[http]") {
    const std::string rich =
        "\r\nCONNECT b:1 HTTP/1.1\r\nHost: b:1\r\nConnection: close, keep-alive\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string refused = "POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: [\r\n";
    const limits bounds;
    request_parser parser(bounds);
    CHECK(parse_prefix(parser, rich, rich.size()) == parse_whole(rich));
    for (std::size_t bytes = 0; bytes <= rich.size(); ++bytes) {
        parser.reset();
        (void)parse_prefix(parser, rich, bytes);
        parser.reset();
        REQUIRE(parse_prefix(parser, refused, refused.size()) ==
                "400 malformed Host (RFC 9112 3.2)");
        parser.reset();
        REQUIRE_FALSE(parser.error());
        REQUIRE(parse_prefix(parser, "GET / HTTP/1.0\r\n\r\n", 18) ==
                "GET / 1.0 path=/ query= host= close 18");
    }
}

TEST_CASE("a host that resembles the one before is judged by itself", "[http]") {
    const auto asks_for = [](const std::string& host) {
        return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    };
    const std::vector<std::string> hosts = {
        "a",
        "ab",
        "a:1",
        "a:",
        "a:12345",
        "a:65536",
        "a b",
        "a/",
        "A",
        "[::1]",
        "[::1]:1",
        "[::",
        "",
        "example.org:8080",
        "example.org:8081",
        "example.org",
        std::string(32, 'h'),
        std::string(33, 'h'),
    };
    const limits bounds;
    for (const std::string& first : hosts) {
        for (const std::string& second : hosts) {
            request_parser parser(bounds);
            for (const std::string& text : {asks_for(first), asks_for(second), asks_for(second)}) {
                CAPTURE(first, text);
                CHECK(parse_prefix(parser, text, text.size()) == parse_whole(text));
                parser.reset();
            }
        }
    }
}

TEST_CASE("a verdict stands until reset()", "[http]") {
    const limits bounds;
    request_parser parser(bounds);
    const std::string good = "GET / HTTP/1.0\r\n\r\n";
    REQUIRE(parser.parse(good) == parse_result::complete);
    CHECK(parser.parse(good + "x") == parse_result::complete);
    CHECK(parser.head_bytes() == good.size());
    parser.reset();
    REQUIRE(parser.parse("\n") == parse_result::failed);
    CHECK(parser.parse("\nGET / HTTP/1.0\r\n\r\n") == parse_result::failed);
}

TEST_CASE("an empty line alone is not the beginning of a request", "[http]") {
    const limits bounds;
    request_parser parser(bounds);
    const std::string head = "\r\nGET /";
    const bool begun[] = {false, false, false, true, true, true, true, true};
    for (std::size_t bytes = 0; bytes <= head.size(); ++bytes) {
        CHECK(parser.parse(head.substr(0, bytes)) == parse_result::incomplete);
        CHECK(parser.has_begun() == begun[bytes]);
    }
    parser.reset();
    CHECK_FALSE(parser.has_begun());
}
