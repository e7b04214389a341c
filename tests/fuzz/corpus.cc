// What the fuzz targets begin with. Inputs that once broke a rule are added here.
#include <miniss/tests/fuzz/fuzz_target.hh>

namespace miniss::fuzz {
namespace {

using std::string_literals::operator""s;

const std::vector<std::string> request_words = {
    "GET ",
    "HEAD ",
    "POST ",
    "PUT ",
    "OPTIONS ",
    "CONNECT ",
    "TRACE ",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    "\0"s,
    " ",
    "\t",
    ":",
    "\x7f",
    "\x80",
    "%00",
    "%2e",
    "%",
    "/",
    "//",
    "*",
    "?",
    "#",
    "\\",
    "..",
    "http://h",
    "https://h",
    "h:80",
    "[::1]",
    "Host: h\r\n",
    "Host: ",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: ",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: ",
    "Transfer-Encoding: ",
    "Transfer-Encoding: chunked\r\n",
    "chunked",
    "gzip",
    ",",
    "identity",
    "Expect: ",
    "Expect: 100-continue\r\n",
    "100-continue",
    "18446744073709551615",
    "+3",
    "-1",
    "0x3",
    "abc",
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
};

const std::vector<std::string> chunk_words = {
    "0\r\n\r\n",
    "0\r\n",
    "3\r\nabc\r\n",
    "\r\n",
    "\r",
    "\n",
    ";",
    "=",
    "\"",
    "\\",
    ";a=b",
    ";a",
    ";a=\"b\"",
    " ",
    "\t",
    "A: b\r\n",
    ":",
    "ffffffffffffffff",
    "10000000000000000",
    "0x",
    "+1",
    "-1",
    "a",
    "F",
    "000",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\0"s,
    "\x7f",
    "\x80",
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
};

const std::vector<std::string> requests = {
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /a/%41?b=c&d HTTP/1.1\r\nHost: example.org:8080\r\nAccept: */*\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n",
    "\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HEAD http://h/x?y HTTP/1.1\r\nHost: h:80\r\nConnection: close, x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
    "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    "GET http://[::1]:80 HTTP/1.1\r\nHost: [::1]\r\nX:\t a \t b \t\r\nEmpty:\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: "
    "h\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nabcd",
    "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: \r\n\r\nabcd",
    "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET /nowhere HTTP/1.1\r\nHost: "
    "h\r\n\r\n",
    "POST /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    "PUT /items/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nb",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n",
    "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
};

const std::vector<std::string> chunks = {
    "0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n00\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "1;a\r\nx\r\n1 ; b = \"c\\\"\" ;d=e\r\ny\r\n0;f\r\nA: b\r\nC:\td \r\n\r\n",
    "0\r\nContent-Length: 3\r\nHost: x\r\n\r\nabc",
    "fffffffffffffff\r\nabc",
    "0000000000000000A\r\n0123456789\r\n0\r\n\r\n",
    "1 \r\na\r\n0\r\n\r\n",
    "1\r\nab\r\n0\r\n\r\n",
    "0\r\nA : b\r\n\r\n",
};

const std::vector<std::string> texts = {
    "/a/b%20c/%c3%a4?d=e&f=g+h",
    "http://user@example.org:8080/%zz",
    "[2001:db8::192.0.2.1]:65535",
    "host.example:443",
    "18446744073709551615",
    "a=b&&c=%2B+d&=e",
    "a long enough text for a step of sixteen or of thirty-two bytes\x7f\t and \x01",
    "*",
    "bytes=0-499",
    "bytes=-500",
    "BYTES=18446744073709551615-",
    "\"x,y\", W/\"a-b\" ,,\"a-b\"",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "a%20b.txt",
    "d/index.html",
    "../secret",
    "d/%2e%2e/out",
};

const std::vector<std::string> text_words = {
    "%",        "%2",  "%2f",  "%00",     "+",     "&",
    "=",        "?",   "#",    "/",       "\\",    ":",
    ":80",      "[",   "]",    "[::1]",   "@",     "http://",
    "https://", ".",   "..",   "0",       "65536", "18446744073709551616",
    "\0"s,      "\t",  "\x7f", "\x80",    "\xff",  "aaaaaaaaaaaaaaaa",
    "bytes=",   "-",   ",",    "\"a-b\"", "W/",    " GMT",
    "Feb",      ":60", "d",    "d/",      "out",   "a b.txt",
};

}  // namespace

corpus request_corpus() { return {requests, request_words}; }

corpus chunk_corpus() { return {chunks, chunk_words}; }

corpus text_corpus() { return {texts, text_words}; }

corpus server_corpus() {
    corpus begin{{}, request_words};
    for (std::size_t i = 0; i < requests.size(); ++i) {
        begin.seeds.push_back(static_cast<char>(i) + requests[i]);
    }
    begin.words.insert(begin.words.end(), chunk_words.begin(), chunk_words.end());
    for (const char* path : {"/echo", "/upload", "/unread", "/items/x"}) {
        begin.words.push_back(path);
    }
    return begin;
}

}  // namespace miniss::fuzz
