#include <miniss/tests/core/tested_backend.hh>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include <miniss/core/epoll_backend.hh>
#include <miniss/core/uring_backend.hh>

namespace miniss {

namespace {

constexpr std::string_view simulated_prefix = "simulated with seed ";

bool uring_is_available() {
    try {
        make_uring_backend();
        return true;
    } catch (const std::system_error& error) {
        WARN("io_uring is not tested: " << error.what());
        return false;
    }
}

const char* wanted_backend() {
    const char* wanted = std::getenv("MINISS_TEST_BACKEND");
    return wanted == nullptr ? "" : wanted;
}

}  // namespace

void recorder::complete(io_result&& result) noexcept {
    values.push_back(result.value);
    bytes.append(result.data.view());
    if (keeps_buffers) {
        kept.push_back(std::move(result.data));
    }
    done = !result.more;
    then();
}

std::vector<std::string> tested_backend::real_names() {
    const std::string_view wanted = wanted_backend();
    std::vector<std::string> names;
    if (wanted != "epoll" && uring_is_available()) {
        names.emplace_back("io_uring");
    }
    if (wanted != "io_uring") {
        names.emplace_back("epoll");
    }
    return names;
}

std::vector<std::string> tested_backend::names() {
    std::vector<std::string> names = real_names();
    for (unsigned seed = 0; seed < 10; ++seed) {
        names.push_back(std::string(simulated_prefix) + std::to_string(seed));
    }
    return names;
}

tested_backend::tested_backend(const std::string& name)
    : _name(Catch::MessageBuilder("INFO", CATCH_INTERNAL_LINEINFO, Catch::ResultWas::Info)
            << "on " << name) {
    if (name.find(simulated_prefix) == 0) {
        const unsigned long seed = std::stoul(name.substr(simulated_prefix.size()));
        _world = std::make_unique<sim::sim_world>(seed);
        _backend = &_world->add_shard().backend;
    } else {
        _real = name == "epoll" ? make_epoll_backend() : make_uring_backend();
        _backend = _real.get();
    }
    _open_before = descriptor_count();
}

tested_backend::~tested_backend() {
    allow_descriptors();
    const auto deadline = _backend->now() + std::chrono::seconds(20);
    while (_backend->operations_in_flight() != 0 && _backend->now() < deadline) {
        _backend->cancel_all();
        _backend->poll();
    }
    CHECK(_backend->operations_in_flight() == 0);
    while (!_open.empty()) {
        close(_open.back());
    }
    CHECK(descriptor_count() == _open_before);
    _recorders.clear();
}

recorder& tested_backend::start(const io_op& op) {
    recorder& record = make_recorder();
    _backend->submit(op, record);
    return record;
}

void tested_backend::settle() {
    for (int i = 0; i < 20; ++i) {
        _backend->poll();
        if (simulated()) {
            _world->clock().advance_to(_world->now() + std::chrono::microseconds(50));
        }
    }
}

int tested_backend::keep(int fd) {
    REQUIRE(fd >= 0);
    _open.push_back(fd);
    return fd;
}

void tested_backend::close(int fd) {
    _open.erase(std::remove(_open.begin(), _open.end(), fd), _open.end());
    _backend->sockets().close(fd);
}

int tested_backend::listen(int backlog) {
    const int fd = open_tcp();
    sockaddr_in any_port{};
    any_port.sin_family = AF_INET;
    any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(_backend->sockets().bind(fd, reinterpret_cast<sockaddr*>(&any_port), sizeof any_port) ==
            0);
    REQUIRE(_backend->sockets().listen(fd, backlog) == 0);
    return fd;
}

connect_op tested_backend::connect_to(int fd, int listener) {
    sockaddr_in& address = _addresses.emplace_back();
    socklen_t address_bytes = sizeof address;
    auto* untyped = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(_backend->sockets().local_address(listener, untyped, &address_bytes) == 0);
    return {fd, untyped, address_bytes};
}

std::pair<int, int> tested_backend::unix_pair() {
    if (simulated()) {
        const auto [first, second] = _world->network().connected_pair();
        return {keep(first), keep(second)};
    }
    // As each backend makes its own sockets.
    const int flags = _backend->name() == std::string_view("epoll") ? SOCK_NONBLOCK : 0;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends) == 0);
    return {keep(ends[0]), keep(ends[1])};
}

std::pair<int, int> tested_backend::tcp_pair() {
    const int listener = listen();
    recorder& accepted = start(accept_op{listener});
    const int client = open_tcp();
    recorder& connected = start(connect_to(client, listener));
    run_until([&] { return connected.done && !accepted.values.empty(); });
    REQUIRE(connected.last() == 0);
    const int server = keep(accepted.values[0]);
    _backend->cancel(accepted);
    finish(accepted);
    close(listener);
    return {client, server};
}

int tested_backend::send(int fd, std::string_view bytes) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    recorder& sent = start(send_op{fd, &message});
    finish(sent);
    return sent.last();
}

void tested_backend::forbid_descriptors() {
    if (simulated()) {
        auto& limit = _world->network().options.descriptor_count_max;
        _forbidden_limit = std::exchange(limit, _world->network().descriptor_count());
        return;
    }
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int lowest_free = ::dup(STDERR_FILENO);
    REQUIRE(lowest_free >= 0);
    ::close(lowest_free);
    _forbidden_limit = static_cast<std::size_t>(limit.rlim_cur);
    limit.rlim_cur = static_cast<rlim_t>(lowest_free);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void tested_backend::allow_descriptors() {
    if (!_forbidden_limit) {
        return;
    }
    if (simulated()) {
        _world->network().options.descriptor_count_max = *_forbidden_limit;
    } else {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = *_forbidden_limit;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    _forbidden_limit.reset();
}

std::size_t tested_backend::descriptor_count() const {
    if (simulated()) {
        return _world->network().descriptor_count();
    }
    std::size_t count = 0;
    DIR* descriptors = ::opendir("/proc/self/fd");
    while (::readdir(descriptors) != nullptr) {
        ++count;
    }
    ::closedir(descriptors);
    return count;
}

}  // namespace miniss
