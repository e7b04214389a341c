// Tests of listen(), connect() and addresses over the real kernel: who may listen where.
#include <miniss/net/listener.hh>

#include <unistd.h>

#include <cerrno>
#include <fstream>

#include <miniss/core/when_all.hh>
#include <miniss/tests/net/descriptors.hh>
#include <miniss/tests/net/errors.hh>
#include <miniss/tests/net/raw_peer.hh>
#include <miniss/tests/net/real_shard.hh>
#include <miniss/tests/net/scratch_directory.hh>

using namespace miniss;

namespace {

// While it lives, permissions count for this process, even if it is root's.
class unprivileged {
    uid_t _before = ::geteuid();

public:
    unprivileged() {
        if (_before == 0) {
            REQUIRE(::seteuid(65534) == 0);
        }
    }
    unprivileged(const unprivileged&) = delete;
    unprivileged& operator=(const unprivileged&) = delete;
    ~unprivileged() { (void)!::seteuid(_before); }
};

struct connection {
    connected_socket client;
    connected_socket served;
};

future<connection> make_connection(server_socket& listener, const socket_address& to) {
    return when_all_succeed(connect(to), listener.accept())
        .then([](std::tuple<connected_socket, connected_socket>&& ends) {
            return connection{std::move(std::get<0>(ends)), std::move(std::get<1>(ends))};
        });
}

bool is_free(const socket_address& address) {
    return raw_peer::connect_to(address).error() == ECONNREFUSED;
}

}  // namespace

TEST_CASE("both ends of a connection know their addresses", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const auto host = GENERATE(as<std::string>(), "127.0.0.1", "[::1]");
    auto listener = listen(socket_address::parse(host + ":0"));
    const auto address = listener.local_address();
    CHECK(address.port() != 0);
    CHECK(address.to_string() == host + ":" + std::to_string(address.port()));

    const auto ends = shard.run([&] { return make_connection(listener, address); });
    CHECK(ends.client.remote_address().to_string() == address.to_string());
    CHECK(ends.served.local_address().to_string() == address.to_string());
    CHECK(ends.client.local_address().to_string() == ends.served.remote_address().to_string());
    CHECK(ends.client.local_address().to_string() != address.to_string());
}

TEST_CASE("a Unix socket has the address of its file, and its client has none", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    const auto address = socket_address::parse("unix:" + scratch.path("socket"));
    auto listener = listen(address);
    CHECK(listener.local_address().path() == scratch.path("socket"));

    auto ends = shard.run([&] { return make_connection(listener, address); });
    CHECK(ends.client.remote_address().path() == scratch.path("socket"));
    CHECK(ends.served.remote_address().is_unix());
    CHECK(ends.served.remote_address().path().empty());
    ends.client.set_nodelay(true);  // Of no effect, but allowed.
    ends.client.set_keepalive(true);
}

TEST_CASE("connecting fails with the kernel's error and the address, and leaks nothing",
          "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    const auto free_port = probe_address(socket_address::parse("127.0.0.1:0"));
    const auto missing = socket_address::parse("unix:" + scratch.path("missing"));
    const auto before = descriptor_count();
    CHECK(shard.run([&] { return errno_of(connect(free_port)); }) == ECONNREFUSED);
    CHECK(shard.run([&] { return errno_of(connect(missing)); }) == ENOENT);
    CHECK(shard.run([&] { return errno_of(connect(socket_address())); }) == EAFNOSUPPORT);
    {
        const no_more_descriptors exhausted;
        CHECK(shard.run([&] { return errno_of(connect(free_port)); }) == EMFILE);
    }
    CHECK(descriptor_count() == before);
    try {
        shard.run([&] { return connect(free_port).discard_result(); });
    } catch (const std::system_error& error) {
        CHECK(std::string(error.what()).find(free_port.to_string()) != std::string::npos);
    }
}

TEST_CASE("listening fails with the kernel's error and the address, and leaks nothing",
          "[listen]") {
    const real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    std::filesystem::permissions(scratch.whole(), std::filesystem::perms::owner_read);
    const auto taken = listen(socket_address::parse("127.0.0.1:0"));
    const auto before = descriptor_count();
    const auto fails_with = [](const std::string& text) {
        return errno_thrown_by([&text] { (void)listen(socket_address::parse(text)); });
    };
    CHECK(fails_with(taken.local_address().to_string()) == EADDRINUSE);
    CHECK(fails_with("192.0.2.1:0") == EADDRNOTAVAIL);
    CHECK(fails_with("unix:" + scratch.path("missing/socket")) == ENOENT);
    CHECK(errno_thrown_by([] { (void)listen(socket_address()); }) == EAFNOSUPPORT);
    {
        const unprivileged ordinary;
        CHECK(fails_with("unix:" + scratch.path("socket")) == EACCES);
    }
    {
        const no_more_descriptors exhausted;
        CHECK(fails_with("127.0.0.1:0") == EMFILE);
    }
    CHECK(descriptor_count() == before);
    try {
        (void)listen(taken.local_address());
    } catch (const std::system_error& error) {
        const std::string expected = "listen on " + taken.local_address().to_string();
        CHECK(std::string(error.what()).find(expected) != std::string::npos);
    }
}

TEST_CASE("the address is free again once the listener is gone", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto first = std::make_optional(listen(socket_address::parse("127.0.0.1:0")));
    const auto address = first->local_address();
    const auto ends = shard.run([&] { return make_connection(*first, address); });
    first.reset();
    shard.run_until([&] { return is_free(address); });
    auto second = listen(address);  // Although there is a connection of the first one.
    (void)shard.run([&] { return make_connection(second, address); });
}

TEST_CASE("the file of a Unix socket on which nobody listens any more is replaced", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    const auto address = socket_address::parse("unix:" + scratch.path("socket"));
    auto first = std::make_optional(listen(address));
    CHECK(errno_thrown_by([&] { (void)listen(address); }) == EADDRINUSE);
    (void)shard.run([&] { return make_connection(*first, address); });  // It is still there.
    first.reset();
    shard.run_until_idle();
    CHECK(std::filesystem::is_socket(address.path()));
    auto second = listen(address);
    (void)shard.run([&] { return make_connection(second, address); });
}

TEST_CASE("a file that is no socket is never replaced", "[listen]") {
    const real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    const auto address = socket_address::parse("unix:" + scratch.path("letter"));
    std::ofstream(address.path()) << "dear reader";
    CHECK(errno_thrown_by([&] { (void)listen(address); }) == EADDRINUSE);
    CHECK(std::filesystem::is_regular_file(address.path()));
    CHECK(std::filesystem::file_size(address.path()) == 11);
}

TEST_CASE("probe_address() finds a free port and does not keep it", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const auto address = probe_address(socket_address::parse("127.0.0.1:0"));
    CHECK(address.port() != 0);
    CHECK(is_free(address));
    auto listener = listen(address, {.reuse_port = true});
    (void)shard.run([&] { return make_connection(listener, address); });
}

TEST_CASE("probe_address() refuses an address that others would share", "[listen]") {
    const real_shard shard(GENERATE(from_range(backends_to_test())));
    const auto shared = listen(socket_address::parse("127.0.0.1:0"), {.reuse_port = true});
    const auto address = shared.local_address();
    CHECK(errno_thrown_by([&] { (void)probe_address(address); }) == EADDRINUSE);
    CHECK(errno_thrown_by([&] { (void)listen(address); }) == EADDRINUSE);
    CHECK(errno_thrown_by([&] { (void)listen(address, {.reuse_port = true}); }) == 0);
}

TEST_CASE("with reuse_port the kernel spreads connections over all listeners", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    auto first = listen(socket_address::parse("127.0.0.1:0"), {.reuse_port = true});
    auto second = listen(first.local_address(), {.reuse_port = true});
    std::vector<raw_peer> peers;
    for (int i = 0; i < 60; ++i) {
        peers.push_back(raw_peer::connect_to(first.local_address()));
        REQUIRE(peers.back().error() == 0);
    }
    // Nobody is lost, and neither got all: 2 in 2^60 would be bad luck.
    first.stop();
    second.stop();
    const auto count_of = [&shard](server_socket& listener) {
        int count = 0;
        while (shard.run([&] { return errno_of(listener.accept()); }) == 0) {
            ++count;
        }
        return count;
    };
    const int of_first = count_of(first);
    const int of_second = count_of(second);
    CHECK(of_first + of_second == 60);
    CHECK(of_first != 0);
    CHECK(of_second != 0);
}

TEST_CASE("a duplicate accepts from the same socket, also after the first is gone", "[listen]") {
    real_shard shard(GENERATE(from_range(backends_to_test())));
    const scratch_directory scratch;
    const auto address = socket_address::parse("unix:" + scratch.path("socket"));
    auto first = std::make_optional(listen(address));
    server_socket second(first->duplicate());
    (void)shard.run([&] { return make_connection(*first, address); });
    first.reset();
    shard.run_until_idle();
    (void)shard.run([&] { return make_connection(second, address); });
}
