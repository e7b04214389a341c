// The bytes of replies.
#include <miniss/net/http/reply.hh>

#include <memory>
#include <stdexcept>
#include <string>

#include <miniss/tests/catch.hh>
#include <miniss/tests/net/http/head_of.hh>

using namespace miniss::http;
using std::string_literals::operator""s;

namespace {

constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

reply_context in_answer_to(method asked, unsigned minor_version, bool keep_alive) {
    return {date, asked, minor_version, keep_alive};
}

const reply_context usual = in_answer_to(method::get, 1, true);

}  // namespace

TEST_CASE("a reply with content is written like this", "[http]") {
    const std::string head = "HTTP/1.1 200 OK\r\n"
                             "Server: miniss\r\n"
                             "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 13\r\n"
                             "\r\n";
    const reply owned(status::ok, "text/plain", "Hello, World!");
    CHECK(head_of(owned, usual) == head);
    CHECK(owned.content_to_send(method::get) == "Hello, World!");

    const char* text = "Hello, World!";
    const reply constant = reply::constant(status::ok, "text/plain", text);
    CHECK(head_of(constant, usual) == head);
    CHECK(constant.content_to_send(method::get).data() == text);
}

TEST_CASE("an empty reply has a length of zero and no type", "[http]") {
    CHECK(head_of(reply(), usual) ==
          "HTTP/1.1 200 OK\r\nServer: miniss\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
          "Content-Length: 0\r\n\r\n");
    CHECK(reply().content_to_send(method::get) == "");
}

TEST_CASE("without a date there is no Date (RFC 9110 6.6.1)", "[http]") {
    CHECK(head_of(reply(status::not_found), {.keep_alive = true}) ==
          "HTTP/1.1 404 Not Found\r\nServer: miniss\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("added fields stand in order behind the server's own", "[http]") {
    reply answer(status::method_not_allowed);
    answer.add_header("Allow", "GET, HEAD").add_header("X-Empty", "").add_header("a", "\t\xff b");
    CHECK(head_of(answer, usual) == "HTTP/1.1 405 Method Not Allowed\r\nServer: miniss\r\n"
                                    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n"
                                    "Allow: GET, HEAD\r\nX-Empty: \r\na: \t\xff b\r\n\r\n");
}

TEST_CASE("HEAD is answered with the head of GET and no content (RFC 9110 9.3.2)", "[http]") {
    const reply answer(status::ok, "text/plain", "Hello");
    CHECK(head_of(answer, in_answer_to(method::head, 1, true)) == head_of(answer, usual));
    CHECK(head_of(answer, usual).find("Content-Length: 5\r\n") != std::string::npos);
    CHECK(answer.content_to_send(method::head) == "");
    CHECK(answer.content_to_send(method::post) == "Hello");
}

TEST_CASE("1xx, 204 and 304 have neither length nor content (RFC 9110 8.6, 15.4.5)", "[http]") {
    const status code = GENERATE(status::switching_protocols, status::early_hints,
                                 status::no_content, status::not_modified);
    const reply answer(code, "text/plain", "content");
    CHECK(head_of(answer, usual).find("Content-") == std::string::npos);
    CHECK(answer.content_to_send(method::get) == "");
}

TEST_CASE("205 has a length of zero and no content (RFC 9110 15.3.6)", "[http]") {
    const reply answer(status::reset_content, {}, "content");
    CHECK(head_of(answer, usual).find("Content-Length: 0\r\n") != std::string::npos);
    CHECK(answer.content_to_send(method::get) == "");
}

TEST_CASE("the head says whether the connection goes on (RFC 9112 9.3)", "[http]") {
    const auto connection_of = [](const reply& answer, unsigned minor_version, bool keep_alive) {
        const reply_context context = in_answer_to(method::get, minor_version, keep_alive);
        const std::string head = head_of(answer, context);
        const std::size_t begin = head.find("Connection: ");
        if (begin == std::string::npos) {
            return ""s;
        }
        return head.substr(begin + 12, head.find("\r\n", begin) - begin - 12);
    };
    CHECK(connection_of(reply(), 1, true) == "");
    CHECK(connection_of(reply(), 1, false) == "close");
    CHECK(connection_of(reply(), 0, true) == "keep-alive");
    CHECK(connection_of(reply(), 0, false) == "close");
    CHECK(connection_of(reply().close_connection(), 1, true) == "close");
    CHECK(connection_of(reply().close_connection(), 0, true) == "close");

    CHECK(reply().keeps_connection(usual));
    CHECK_FALSE(reply().close_connection().keeps_connection(usual));
    CHECK_FALSE(reply().keeps_connection(in_answer_to(method::get, 1, false)));
}

TEST_CASE("a reply's version is ours, whatever the request's was (RFC 9110 2.5)", "[http]") {
    CHECK(head_of(reply(), in_answer_to(method::get, 0, true)).substr(0, 9) == "HTTP/1.1 ");
}

TEST_CASE("a handler cannot split the response", "[http]") {
    reply answer;
    const std::string value =
        GENERATE(values({"a\r\nSet-Cookie: b"s, "a\r"s, "\n"s, "a\0b"s, "\x01"s, "\x7f"s}));
    CHECK_THROWS_AS(answer.add_header("X", value), std::invalid_argument);
    CHECK_THROWS_AS(answer.add_header("X" + value, "y"), std::invalid_argument);
    CHECK(head_of(answer, usual) == head_of(reply(), usual));
}

TEST_CASE("field names must be tokens (RFC 9110 5.1)", "[http]") {
    const std::string name = GENERATE("", "a b", "a:", " a", "a\xe4");
    CHECK_THROWS_AS(reply().add_header(name, "x"), std::invalid_argument);
}

TEST_CASE("fields that the server answers for cannot be added", "[http]") {
    const std::string name =
        GENERATE("Connection", "content-length", "DATE", "server", "Transfer-Encoding");
    CHECK_THROWS_AS(reply().add_header(name, "x"), std::invalid_argument);
}

TEST_CASE("head_bytes_max() is enough for the longest head", "[http]") {
    // 128 bytes, the longest literal.
    reply answer(
        status::network_authentication_required,
        "application/x-0123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890123456789012345678901234567890123",
        std::string());
    answer.close_connection();
    answer.add_header("X", std::string(1000, 'y'));
    auto block = std::make_unique<char[]>(answer.head_bytes_max());
    const char* end = answer.write_head(block.get(), usual);
    // The length has one digit here and may have twenty.
    CHECK(static_cast<std::size_t>(end - block.get()) + 19 <= answer.head_bytes_max());
}

TEST_CASE("codes without a reason phrase are written without one (RFC 9112 4)", "[http]") {
    CHECK(head_of(reply(static_cast<status>(299)), {.keep_alive = true}) ==
          "HTTP/1.1 299 \r\nServer: miniss\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("every reason phrase fits and stands with its code", "[http]") {
    CHECK(reason_phrase(status::continue_) == "Continue");
    CHECK(reason_phrase(status::ok) == "OK");
    CHECK(reason_phrase(status::im_used) == "IM Used");
    CHECK(reason_phrase(status::content_too_large) == "Content Too Large");
    CHECK(reason_phrase(status::uri_too_long) == "URI Too Long");
    CHECK(reason_phrase(status::network_authentication_required) ==
          "Network Authentication Required");
    int phrase_count = 0;
    for (std::uint16_t code = 100; code < 1000; ++code) {
        const std::string_view phrase = reason_phrase(static_cast<status>(code));
        phrase_count += phrase.empty() ? 0 : 1;
    }
    CHECK(phrase_count == 61);
}

TEST_CASE("an error reply says what is wrong", "[http]") {
    const reply answer = make_error_reply(status::uri_too_long, "8 KiB are enough");
    CHECK(answer.status() == status::uri_too_long);
    CHECK(answer.content() == "414 URI Too Long\n8 KiB are enough\n");
    CHECK(make_error_reply(status::not_found).content() == "404 Not Found\n");
    CHECK(head_of(answer, {}) ==
          "HTTP/1.1 414 URI Too Long\r\nServer: miniss\r\nContent-Type: text/plain\r\n"
          "Content-Length: 34\r\nConnection: close\r\n\r\n");
}

TEST_CASE("the head of an interim reply ends (RFC 9110 15.2)", "[http]") {
    CHECK(continue_head == "HTTP/1.1 100 Continue\r\n\r\n");
}
