// Tests of socket_address: what is an address, and what is not.
#include <miniss/net/socket_address.hh>

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <stdexcept>

#include <miniss/tests/catch.hh>

using namespace miniss;

namespace {

// What parse() throws.
std::string answer_to(const std::string& text) {
    try {
        return "accepted as " + socket_address::parse(text).to_string();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("an IPv4 address has four numbers and a port", "[address]") {
    const auto address = socket_address::parse("127.0.0.1:8080");
    CHECK(address.family() == AF_INET);
    CHECK(address.port() == 8080);
    CHECK(address.size() == sizeof(sockaddr_in));
    CHECK_FALSE(address.is_unix());
    CHECK(address.path().empty());
    const auto& plain = *reinterpret_cast<const sockaddr_in*>(address.data());
    CHECK(plain.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(plain.sin_port == htons(8080));
}

TEST_CASE("an IPv6 address stands in brackets", "[address]") {
    const auto address = socket_address::parse("[::1]:443");
    CHECK(address.family() == AF_INET6);
    CHECK(address.port() == 443);
    CHECK(address.size() == sizeof(sockaddr_in6));
    const auto& plain = *reinterpret_cast<const sockaddr_in6*>(address.data());
    CHECK(IN6_IS_ADDR_LOOPBACK(&plain.sin6_addr));
}

TEST_CASE("a Unix address is a path of up to 107 bytes", "[address]") {
    const auto address = socket_address::parse("unix:/run/a b:1.sock");
    CHECK(address.is_unix());
    CHECK(address.path() == "/run/a b:1.sock");
    CHECK(address.port() == 0);
    const std::string longest = "unix:" + std::string(107, 'x');
    CHECK(socket_address::parse(longest).path().size() == 107);
    CHECK(socket_address::parse(longest).to_string() == longest);
}

TEST_CASE("an address is printed in the form that parse() takes", "[address]") {
    const auto [text, printed] = GENERATE(table<const char*, const char*>({
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"10.0.0.1:00080", "10.0.0.1:80"},
        {"[::]:0", "[::]:0"},
        {"[0:0:0:0:0:0:0:1]:80", "[::1]:80"},
        {"[2001:DB8::1]:65535", "[2001:db8::1]:65535"},
        {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1"},
        {"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
         "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
        {"unix:relative", "unix:relative"},
        {"unix:/tmp/x", "unix:/tmp/x"},
    }));
    CAPTURE(text);
    const auto address = socket_address::parse(text);
    CHECK(address.to_string() == printed);
    CHECK(socket_address::parse(address.to_string()).to_string() == printed);
}

TEST_CASE("what is no address is refused, with the text and the reason", "[address]") {
    const auto [text, reason] = GENERATE(table<std::string, const char*>({
        {"", "expected ADDR:PORT"},
        {"localhost", "expected ADDR:PORT"},
        {"127.0.0.1", "expected ADDR:PORT"},
        {":80", "not an IPv4 address"},
        {"localhost:80", "not an IPv4 address"},
        {"*:80", "not an IPv4 address"},
        {"127.0.0:80", "not an IPv4 address"},
        {"127.0.0.1.1:80", "not an IPv4 address"},
        {"127.0.0.256:80", "not an IPv4 address"},
        {" 127.0.0.1:80", "not an IPv4 address"},
        {"127.0.0.1 :80", "not an IPv4 address"},
        {"::1:80", "not an IPv4 address"},
        {"[::1:80", "not an IPv4 address"},
        {"::1]:80", "not an IPv4 address"},
        {"127.0.0.1:", "the port must be"},
        {"127.0.0.1:65536", "the port must be"},
        {"127.0.0.1:99999999999999999999", "the port must be"},
        {"127.0.0.1:-1", "the port must be"},
        {"127.0.0.1:+1", "the port must be"},
        {"127.0.0.1: 1", "the port must be"},
        {"127.0.0.1:1 ", "the port must be"},
        {"127.0.0.1:0x1", "the port must be"},
        {"127.0.0.1:http", "the port must be"},
        {"[::1]", "the port must be"},
        {"[::1]:", "the port must be"},
        {"[]:80", "not an IPv6 address"},
        {"[127.0.0.1]:80", "not an IPv6 address"},
        {"[::g]:80", "not an IPv6 address"},
        {"[::1%lo]:80", "not an IPv6 address"},
        {"[[::1]]:80", "not an IPv6 address"},
        {"unix:", "a path of 1 to 107 bytes"},
        {"unix:" + std::string(108, 'x'), "a path of 1 to 107 bytes"},
    }));
    CAPTURE(text);
    const std::string answer = answer_to(text);
    CHECK(answer.starts_with("bad address '" + text + "': "));
    CHECK(answer.find(reason) != std::string::npos);
}

TEST_CASE("a NUL does not hide the rest of an address", "[address]") {
    using namespace std::string_literals;
    const auto text = GENERATE(values({
        "127.0.0.1\0:80"s,
        "127.0.0.1\0.example:80"s,
        "127.0.0.1:80\0"s,
        "[::1\0]:80"s,
        "unix:/a\0b"s,
    }));
    CAPTURE(text);
    CHECK_THROWS_AS(socket_address::parse(text), std::invalid_argument);
}

TEST_CASE("an address that names nothing is unspecified", "[address]") {
    const socket_address address;
    CHECK(address.family() == AF_UNSPEC);
    CHECK(address.port() == 0);
    CHECK(address.path().empty());
    CHECK(address.to_string() == "unspecified");
}

TEST_CASE("the kernel's address of an unnamed or abstract Unix socket has no path", "[address]") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    address.sun_path[1] = 'x';
    const auto* plain = reinterpret_cast<const sockaddr*>(&address);
    CHECK(socket_address(plain, sizeof(sa_family_t)).path().empty());
    CHECK(socket_address(plain, offsetof(sockaddr_un, sun_path) + 2).path().empty());
}

TEST_CASE("a path that fills its field needs no closing NUL", "[address]") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::fill(std::begin(address.sun_path), std::end(address.sun_path), 'x');
    const auto* plain = reinterpret_cast<const sockaddr*>(&address);
    CHECK(socket_address(plain, sizeof address).path() == std::string(108, 'x'));
}

TEST_CASE("an address larger than any is cut to what fits", "[address]") {
    const sockaddr_storage storage{};
    const auto* plain = reinterpret_cast<const sockaddr*>(&storage);
    CHECK(socket_address(plain, sizeof storage + 1).size() == sizeof storage);
}
