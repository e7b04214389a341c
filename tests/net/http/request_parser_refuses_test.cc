// The request heads that must be refused, with which status, and how soon.
#include <miniss/net/http/request_parser.hh>

#include <miniss/tests/catch.hh>
#include <miniss/tests/net/http/parsed.hh>

using namespace miniss::http;
using std::string_literals::operator""s;

namespace {

// The refusal must come with the last byte of `seen`, whatever `rest` adds to it.
struct refused {
    const char* rule;
    unsigned code;
    std::string seen;
    std::string rest = "\r\n\r\n";
};

void check(const refused& row) {
    INFO(row.rule);
    const std::string head = row.seen + row.rest;
    INFO(head);
    CHECK(parse_whole(head).substr(0, 4) == std::to_string(row.code) + " ");
    CHECK(find_differing_cut(head) == "");
    CHECK(bytes_until_verdict(head) == row.seen.size());
}

const std::string end_of_head = " / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("malformed request lines are refused", "[http]") {
    check(GENERATE(values<refused>({
        {"RFC 9110 9.1: unknown method", 501, "FETCH ", "/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"RFC 9110 9.1: methods are case-sensitive", 501, "get ", "/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"RFC 9112 3: a method longer than any", 501, "OPTIONSS", end_of_head},
        {"RFC 9110 16.1.1: HTTP/2's preface is an unknown method", 501, "PRI ",
         "* HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {"RFC 9110 9.1: a known method behind a byte", 501, "XGET ", "/ HTTP/1.1\r\n"},
        {"RFC 9112 3.1: no method", 400, " ", "/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"RFC 9112 3.1: a byte that is not of a token", 400, "GE@", "T / HTTP/1.1\r\n"},
        {"RFC 9112 2.2: a second empty line", 400, "\r\n\r", "\nGET / HTTP/1.1\r\n"},
        {"RFC 9112 2.2: an empty line without CR", 400, "\n", "GET / HTTP/1.1\r\n"},
        {"RFC 9112 2.2: CR without LF before the request", 400, "\rG", "ET / HTTP/1.1\r\n"},
        {"RFC 9112 2.2: white space before the request", 400, "\t", "GET / HTTP/1.1\r\n"},
        {"a TLS greeting", 400, "\x16", "\x03\x01"},
        {"RFC 9112 3: a tab is not a space", 400, "GET\t", "/ HTTP/1.1\r\n"},
        {"RFC 9112 3: two spaces before the target", 400, "GET  ", "/ HTTP/1.1\r\n"},
        {"RFC 9112 3: two spaces behind the target", 400, "GET /  ", "HTTP/1.1\r\n"},
        {"RFC 9112 3: HTTP/0.9", 400, "GET /\r", "\n"},
        {"RFC 9112 3: no version", 400, "GET / \r", "\n"},
        {"RFC 9112 3.2: white space within the target", 400, "GET /a b", " HTTP/1.1\r\n"},
        {"RFC 9112 3: a space behind the version", 400, "GET / HTTP/1.1 ", "\r\nHost: a\r\n\r\n"},
        {"RFC 9112 2.2: LF alone ends no line", 400, "GET / HTTP/1.1\n", "Host: a\n\n"},
        {"RFC 9112 2.2: CR without LF behind the version", 400, "GET / HTTP/1.1\rH", "ost: a"},
        {"the same for HTTP/1.0", 400, "GET / HTTP/1.0\r\r", "\n\r\n"},
        {"RFC 9112 2.3: a lower-case protocol", 400, "GET / h", "ttp/1.1\r\n"},
        {"RFC 9112 2.3: another protocol", 400, "GET / HTTPS", "/1.1\r\n"},
        {"RFC 9112 2.3: no dot", 400, "GET / HTTP/11", "\r\n"},
        {"RFC 9112 2.3: no minor version", 400, "GET / HTTP/2\r", "\n"},
        {"RFC 9112 2.3: a version that is no number", 400, "GET / HTTP/x", ".1\r\n"},
        {"RFC 9112 2.3: a minor version that is no number", 400, "GET / HTTP/1.x", "\r\n"},
        {"RFC 9112 2.3: two digits", 400, "GET / HTTP/1.10", "\r\n"},
        {"RFC 9110 15.6.6: HTTP/2.0", 505, "GET / HTTP/2.0", "\r\n\r\n"},
        {"RFC 9110 15.6.6: HTTP/0.9 with a version", 505, "GET / HTTP/0.9", "\r\n\r\n"},
        {"RFC 9110 15.6.6: HTTP/1.2", 505, "GET / HTTP/1.2", "\r\nHost: a\r\n\r\n"},
    })));
}

TEST_CASE("malformed targets are refused", "[http]") {
    // A target is judged when the space behind it is there.
    const std::string rest = "HTTP/1.1\r\nHost: a\r\n\r\n";
    check(GENERATE_COPY(values<refused>({
        {"RFC 9112 3.2: no form begins so", 400, "GET a/b ", rest},
        {"RFC 9112 3.2: a host alone", 400, "GET a:80 ", rest},
        {"RFC 9112 3.2: a scheme must begin with a letter", 400, "GET 1http://a/ ", rest},
        {"RFC 9112 3.2: no scheme", 400, "GET ://a/ ", rest},
        {"RFC 9112 3.2: one slash is missing", 400, "GET http:/a/ ", rest},
        {"RFC 9112 3.2: a target holds no fragment", 400, "GET /a#", "b HTTP/1.1\r\n"},
        {"RFC 3986 2: a quote", 400, "GET /\"", " HTTP/1.1\r\n"},
        {"RFC 3986 2: a byte above 127", 400, "GET /\xc3", "\xa4 HTTP/1.1\r\n"},
        {"RFC 3986 2.1: an escape that is cut short", 400, "GET /%4 ", rest},
        {"RFC 3986 2.1: an escape cut short by the query", 400, "GET /%4?a ", rest},
        {"RFC 3986 2.1: an escape that is not hexadecimal", 400, "GET /a%4g ", rest},
        {"RFC 3986 2.1: the same in the first digit", 400, "GET /%%41 ", rest},
        {"RFC 3986 3.3: a backslash in a path", 400, "GET /a\\b ", rest},
        {"RFC 3986 3.3: a backslash is no percent sign", 400, "GET /a\\41 ", rest},
        {"RFC 9110 4.2.1: an empty host", 400, "GET http:/// ", rest},
        {"RFC 9110 4.2.1: an empty host before a port", 400, "GET http://:80/ ", rest},
        {"RFC 9110 4.2.4: user information", 400, "GET http://u@a/ ", rest},
        {"RFC 3986 3.2.3: a port that is no number", 400, "GET http://a:8x/ ", rest},
        {"RFC 3986 3.3: a malformed path in absolute form", 400, "GET http://a/%zz ", rest},
        {"RFC 9110 7.4: another scheme", 421, "GET https://a/ ", rest},
        {"RFC 9110 7.4: a scheme that is not HTTP's", 421, "GET ftp://a/ ", rest},
        {"RFC 9112 3.2.4: asterisk form is for OPTIONS", 400, "GET * ", rest},
        {"RFC 9112 3.2.4: something behind the asterisk", 400, "OPTIONS *a ", rest},
        {"RFC 9112 3.2.3: CONNECT takes a host and port only", 400, "CONNECT /a ", rest},
        {"RFC 9112 3.2.3: not a URI", 400, "CONNECT http://a:80/ ", rest},
        {"RFC 9112 3.2.3: not an asterisk", 400, "CONNECT * ", rest},
        {"RFC 9110 9.3.6: CONNECT without a port", 400, "CONNECT a ", rest},
        {"RFC 9110 9.3.6: CONNECT with an empty port", 400, "CONNECT a: ", rest},
        {"RFC 9110 9.3.6: CONNECT with an impossible port", 400, "CONNECT a:65536 ", rest},
        {"RFC 9112 3.2.3: CONNECT with a path", 400, "CONNECT a:80/ ", rest},
    })));
}

TEST_CASE("malformed field lines are refused", "[http]") {
    const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
    check(GENERATE_COPY(values<refused>({
        {"RFC 9112 5.1: white space before the colon", 400, line + "A ", ": b"},
        {"RFC 9112 5.1: a tab before the colon", 400, line + "A\t", ": b"},
        {"RFC 9112 5.2: a folded line", 400, line + "A: b\r\n ", "c"},
        {"RFC 9112 5.2: a line folded with a tab", 400, line + "A: b\r\n\t", "c"},
        {"RFC 9112 2.2: white space before the first field", 400, "GET / HTTP/1.1\r\n ", "Host: a"},
        {"RFC 9110 5.1: no name", 400, line + ":", " b"},
        {"RFC 9110 5.1: no colon", 400, line + "A\r", "\n"},
        {"RFC 9110 5.1: a byte that is not of a token", 400, line + "A(", ": b"},
        {"RFC 9110 5.1: a byte above 127 in a name", 400, line + "\xe4", ": b"},
        {"RFC 9110 5.1: NUL in a name", 400, line + "A\0"s, ": b"},
        {"RFC 9110 5.5: NUL in a value", 400, line + "A: \0"s, "b"},
        {"RFC 9110 5.5: a control byte in a value", 400, line + "A: b\x0b", "c"},
        {"RFC 9110 5.5: DEL in a value", 400, line + "A: b\x7f", "c"},
        {"RFC 9112 2.2: LF alone in a value", 400, line + "A: b\n", "C: d"},
        {"RFC 9112 2.2: CR without LF in a value", 400, line + "A: b\rC", ": d"},
        {"RFC 9112 2.2: two CR", 400, line + "A: b\r\r", "\n"},
        {"RFC 9112 2.2: LF alone ends no head", 400, line + "\n", ""},
        {"RFC 9112 2.2: CR without LF at the end", 400, line + "\rX", ""},
    })));
}

TEST_CASE("a Host that is missing, repeated, malformed or contradicted is refused", "[http]") {
    const std::string line = "GET / HTTP/1.1\r\n";
    const std::string absolute = "GET http://a/ HTTP/1.1\r\n";
    check(GENERATE_COPY(values<refused>({
        {"RFC 9112 3.2: missing", 400, line + "\r\n", ""},
        {"RFC 9112 3.2: missing in absolute form", 400, absolute + "Hos: a\r\n\r\n", ""},
        {"RFC 9112 3.2: repeated", 400, line + "Host: a\r\nX: y\r\nhost: a\r\n"},
        {"RFC 9112 3.2: repeated, empty", 400, line + "Host:\r\nHost:\r\n"},
        {"RFC 9112 3.2: repeated line by line", 400, line + "Host: a\r\nHost: a\r\n"},
        {"RFC 9112 3.2: repeated in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n"},
        {"RFC 9112 3.2: malformed in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a b\r\n"},
        {"RFC 9112 3.2: a list", 400, line + "Host: a, b\r\n"},
        {"RFC 9112 3.2: a path", 400, line + "Host: a/b\r\n"},
        {"RFC 9112 3.2: a URI", 400, line + "Host: http://a\r\n"},
        {"RFC 9112 3.2: user information", 400, line + "Host: u@a\r\n"},
        {"RFC 9112 3.2: a port alone", 400, line + "Host: :80\r\n"},
        {"RFC 9112 3.2: a port that is no number", 400, line + "Host: a:b\r\n"},
        {"RFC 9112 3.2: a signed port", 400, line + "Host: a:+80\r\n"},
        {"RFC 9112 3.2: an impossible port", 400, line + "Host: a:65536\r\n"},
        {"RFC 9112 3.2: a port without end", 400, line + "Host: a:4294967376\r\n"},
        {"RFC 9112 3.2: two ports", 400, line + "Host: a:80:80\r\n"},
        {"RFC 3986 3.2.2: a byte above 127", 400, line + "Host: \xc3\xa4\r\n"},
        {"RFC 3986 2.1: a malformed escape", 400, line + "Host: a%4\r\n"},
        {"RFC 3986 2.1: its first digit is none", 400, line + "Host: a%g1\r\n"},
        {"RFC 3986 2.1: its second digit is none", 400, line + "Host: a%1g\r\n"},
        {"RFC 3986 3.2.2: an open bracket", 400, line + "Host: [::1\r\n"},
        {"RFC 3986 3.2.2: empty brackets", 400, line + "Host: []\r\n"},
        {"RFC 3986 3.2.2: not an IPv6 address", 400, line + "Host: [::g]\r\n"},
        {"RFC 3986 3.2.2: something behind the bracket", 400, line + "Host: [::1]a\r\n"},
        {"RFC 3986 3.2.2: an address version unknown to us", 400, line + "Host: [v1.a]\r\n"},
        {"RFC 3986 3.2.2: brackets without end", 400,
         line + "Host: [" + std::string(99, '0') + "::1]\r\n"},
        {"RFC 9112 3.2.2: another host than the target's", 400, absolute + "Host: b\r\n"},
        {"RFC 9112 3.2.2: another port than the target's", 400, absolute + "Host: a:81\r\n"},
        {"RFC 9112 3.2.2: an empty Host against the target's", 400, absolute + "Host:\r\n"},
        {"RFC 9112 3.2.2: the same in HTTP/1.0", 400, "GET http://a/ HTTP/1.0\r\nHost: b\r\n"},
        {"RFC 9112 3.2: CONNECT elsewhere", 400, "CONNECT a:1 HTTP/1.1\r\nHost: a:2\r\n"},
    })));
}

TEST_CASE("whatever leaves the end of the content in doubt is refused", "[http]") {
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
    const std::string length = head + "Content-Length: ";
    const std::string coding = head + "Transfer-Encoding: ";
    check(GENERATE_COPY(values<refused>({
        {"RFC 9112 6.3: a length and a coding", 400,
         length + "3\r\nTransfer-Encoding: chunked\r\n"},
        {"RFC 9112 6.3: a coding and a length", 400, coding + "chunked\r\nContent-Length: 3\r\n"},
        {"RFC 9112 6.3: the same, with a length of nothing", 400,
         coding + "chunked\r\nContent-Length: 0\r\n"},
        {"RFC 9112 6.3: two lengths", 400, length + "3\r\nContent-Length: 4\r\n"},
        {"RFC 9110 8.6: two equal lengths", 400, length + "0\r\nContent-Length: 0\r\n"},
        {"RFC 9110 8.6: a list of equal lengths", 400, length + "3, 3\r\n"},
        {"RFC 9110 8.6: no digits", 400, length + "\r\n"},
        {"RFC 9110 8.6: a plus sign", 400, length + "+3\r\n"},
        {"RFC 9110 8.6: a minus sign", 400, length + "-3\r\n"},
        {"RFC 9110 8.6: hexadecimal", 400, length + "0x3\r\n"},
        {"RFC 9110 8.6: hexadecimal digits", 400, length + "a\r\n"},
        {"RFC 9110 8.6: a fraction", 400, length + "3.0\r\n"},
        {"RFC 9110 8.6: white space within", 400, length + "3 3\r\n"},
        {"RFC 9110 8.6: 2^64", 400, length + "18446744073709551616\r\n"},
        {"RFC 9110 8.6: much more", 400, length + std::string(100, '9') + "\r\n"},
        {"RFC 9112 6.3: no coding", 400, coding + "\r\n"},
        {"RFC 9112 6.3: identity", 400, coding + "identity\r\n"},
        {"RFC 9112 6.3: chunked is not the last", 400, coding + "chunked, gzip\r\n"},
        {"RFC 9112 6.3: chunked does not come at all", 400, coding + "gzip\r\n"},
        {"RFC 9112 6.3: a list without chunked", 400, coding + "gzip, deflate\r\n"},
        {"RFC 9112 6.1: chunked twice", 400, coding + "chunked, chunked\r\n"},
        {"RFC 9112 6.1: chunked twice around another", 400, coding + "chunked, gzip, chunked\r\n"},
        {"RFC 9112 6.1: a coding we do not know below chunked", 501, coding + "gzip, chunked\r\n"},
        {"RFC 9112 6.1: the same, without a blank", 501, coding + "x,y,Chunked\r\n"},
        {"an empty element before", 400, coding + ", chunked\r\n"},
        {"an empty element behind", 400, coding + "chunked,\r\n"},
        {"RFC 9112 7: chunked has no parameters", 400, coding + "chunked;a=b\r\n"},
        {"quoted", 400, coding + "\"chunked\"\r\n"},
        {"something before it", 400, coding + "xchunked\r\n"},
        {"a vertical tab before it", 400, coding + "\x0b", "chunked\r\n\r\n"},
        {"RFC 9112 6.3: two coding fields", 400,
         coding + "chunked\r\nTransfer-Encoding: chunked\r\n"},
        {"RFC 9112 6.1: HTTP/1.0 has no transfer codings", 400,
         "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"},
    })));
}

TEST_CASE("an expectation other than 100-continue is refused (RFC 9110 10.1.1)", "[http]") {
    const std::string value = GENERATE("200-ok", "100-continue, x", "x, 100-continue",
                                       "100-continue;a", "100", "\"100-continue\"");
    check({"RFC 9110 10.1.1", 417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: " + value + "\r\n"});
}

TEST_CASE("a refusal says which rule was broken", "[http]") {
    const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
    CHECK(parse_whole("GET /#") == "400 byte not allowed in target (RFC 9112 3.2)");
    CHECK(parse_whole(line + "A :") == "400 white space before or in a name (RFC 9112 5.1, 5.2)");
    CHECK(parse_whole(line + " A:") == "400 white space before or in a name (RFC 9112 5.1, 5.2)");
    CHECK(parse_whole(line + "A\0:"s) == "400 malformed field name (RFC 9110 5.1)");
    CHECK(parse_whole(line + "Host: [\r\n") == "400 more than one Host (RFC 9112 3.2)");
}
