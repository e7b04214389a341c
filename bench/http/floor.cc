// The floor: an io_uring responder without any framework, which shows what the kernel alone costs.
//
// Every complete request head gets the reply that httpd gives to `GET /`, byte for byte. Nothing
// else is parsed: this is what servers are compared to, not a server.

#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view reply_that_keeps = "HTTP/1.1 200 OK\r\n"
                                              "Server: miniss\r\n"
                                              "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                              "Content-Type: text/plain\r\n"
                                              "Content-Length: 13\r\n"
                                              "\r\n"
                                              "Hello, World!";

constexpr std::string_view reply_that_closes = "HTTP/1.1 200 OK\r\n"
                                               "Server: miniss\r\n"
                                               "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                               "Content-Type: text/plain\r\n"
                                               "Content-Length: 13\r\n"
                                               "Connection: close\r\n"
                                               "\r\n"
                                               "Hello, World!";

constexpr unsigned ring_entry_count = 1024;
constexpr std::uint16_t buffer_count = 512;  // A power of two, as the kernel wants it.
constexpr std::size_t buffer_bytes = 4096;
constexpr std::size_t replies_per_send_max = 128;

enum class operation : std::uint64_t { accept, receive, send };

struct connection {
    std::size_t matched_bytes = 0;  // How much of CRLFCRLF the bytes so far end with.
    std::size_t owed_bytes = 0;     // Reply bytes not yet sent.
    std::size_t reply_offset = 0;   // Where in a reply the next byte to send stands.
    bool receiving = false;         // A multishot receive is armed.
    bool sending = false;           // A send is in flight; there is never a second one.
};

[[noreturn]] void fail(const char* what, int error) {
    std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(error));
    std::exit(1);
}

// Counts the request heads that `bytes` completes. A head may be split anywhere over several calls.
std::size_t count_heads(connection& peer, std::string_view bytes) {
    constexpr std::string_view head_end = "\r\n\r\n";
    std::size_t head_count = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        // With nothing matched yet, four bytes of which the last is neither CR nor LF hold no end
        // of a head, and do not end with the start of one.
        if (peer.matched_bytes == 0 && bytes.size() - at >= 4 && bytes[at + 3] != '\r' &&
            bytes[at + 3] != '\n') {
            at += 4;
            continue;
        }
        if (bytes[at] == head_end[peer.matched_bytes]) {
            ++peer.matched_bytes;
        } else {
            peer.matched_bytes = bytes[at] == '\r' ? 1 : 0;
        }
        if (peer.matched_bytes == head_end.size()) {
            peer.matched_bytes = 0;
            ++head_count;
        }
        ++at;
    }
    return head_count;
}

int listen_on(std::uint16_t port) {
    // Accepted sockets inherit TCP_NODELAY from the listener, so none of them pays for a call.
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address = {};
    socklen_t address_bytes = sizeof(address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic_address = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener, generic_address, address_bytes) < 0 || listen(listener, SOMAXCONN) < 0 ||
        getsockname(listener, generic_address, &address_bytes) < 0) {
        fail("cannot listen", errno);
    }
    std::printf("floor: listening on 127.0.0.1:%u\n", unsigned{ntohs(address.sin_port)});
    std::fflush(stdout);
    return listener;
}

class responder {
public:
    responder(std::uint16_t port, bool closes)
        : _closes(closes), _reply_bytes((closes ? reply_that_closes : reply_that_keeps).size()) {
        for (std::size_t i = 0; i < replies_per_send_max; ++i) {
            _replies += closes ? reply_that_closes : reply_that_keeps;
        }
        set_up_ring();
        set_up_buffers();
        _listener = listen_on(port);
    }

    [[noreturn]] void run() {
        arm_accept();
        for (;;) {
            // The one system call of a turn: submits all that the last turn prepared, and waits.
            int result = io_uring_submit_and_wait(&_ring, 1);
            if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
                fail("io_uring_enter", -result);
            }
            unsigned head = 0;
            unsigned completed_count = 0;
            io_uring_cqe* completion = nullptr;
            io_uring_for_each_cqe(&_ring, head, completion) {
                complete(*completion);
                ++completed_count;
            }
            io_uring_cq_advance(&_ring, completed_count);
        }
    }

private:
    void set_up_ring() {
        unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
        int result = io_uring_queue_init(ring_entry_count, &_ring, flags);
        if (result == -EINVAL) {
            fail("io_uring lacks SINGLE_ISSUER or DEFER_TASKRUN, Linux 6.1 has both", EINVAL);
        }
        if (result < 0) {
            fail("io_uring is missing or switched off on this system", -result);
        }
    }

    void set_up_buffers() {
        _buffer_memory.resize(buffer_count * buffer_bytes);
        void* memory = mmap(nullptr, buffer_count * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            fail("mmap", errno);
        }
        _buffers = static_cast<io_uring_buf_ring*>(memory);
        io_uring_buf_reg registration = {};
        registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
        registration.ring_entries = buffer_count;
        int result = io_uring_register_buf_ring(&_ring, &registration, 0);
        if (result < 0) {
            fail("cannot register a buffer ring", -result);
        }
        io_uring_buf_ring_init(_buffers);
        for (std::uint16_t id = 0; id < buffer_count; ++id) {
            give_buffer(id);
        }
    }

    void give_buffer(std::uint16_t id) {
        io_uring_buf_ring_add(_buffers, &_buffer_memory[id * buffer_bytes], buffer_bytes, id,
                              io_uring_buf_ring_mask(buffer_count), 0);
        io_uring_buf_ring_advance(_buffers, 1);
    }

    io_uring_sqe* next_entry() {
        io_uring_sqe* entry = io_uring_get_sqe(&_ring);
        while (entry == nullptr) {
            io_uring_submit(&_ring);
            entry = io_uring_get_sqe(&_ring);
        }
        return entry;
    }

    static void tag(io_uring_sqe* entry, operation kind, int fd) {
        entry->user_data = static_cast<std::uint64_t>(fd) << 2 | static_cast<std::uint64_t>(kind);
    }

    void arm_accept() {
        io_uring_sqe* entry = next_entry();
        io_uring_prep_multishot_accept(entry, _listener, nullptr, nullptr, SOCK_CLOEXEC);
        tag(entry, operation::accept, _listener);
        _accepting = true;
    }

    void arm_receive(int fd, connection& peer) {
        io_uring_sqe* entry = next_entry();
        io_uring_prep_recv_multishot(entry, fd, nullptr, 0, 0);
        entry->flags |= IOSQE_BUFFER_SELECT;
        entry->buf_group = 0;
        tag(entry, operation::receive, fd);
        peer.receiving = true;
    }

    // Replies are all alike, so whatever is owed is a piece of the one block of replies.
    void send_owed(int fd, connection& peer) {
        std::size_t bytes = std::min(peer.owed_bytes, _replies.size() - peer.reply_offset);
        io_uring_sqe* entry = next_entry();
        io_uring_prep_send(entry, fd, &_replies[peer.reply_offset], bytes, MSG_NOSIGNAL);
        tag(entry, operation::send, fd);
        peer.sending = true;
    }

    void complete(const io_uring_cqe& completion) {
        int fd = static_cast<int>(completion.user_data >> 2);
        switch (static_cast<operation>(completion.user_data & 3)) {
        case operation::accept:
            return complete_accept(completion);
        case operation::receive:
            return complete_receive(fd, _connections[static_cast<std::size_t>(fd)], completion);
        case operation::send:
            return complete_send(fd, _connections[static_cast<std::size_t>(fd)], completion.res);
        }
    }

    void complete_accept(const io_uring_cqe& completion) {
        if (completion.res >= 0) {
            std::size_t index = static_cast<std::size_t>(completion.res);
            _connections.resize(std::max(_connections.size(), index + 1));
            _connections[index] = connection();
            arm_receive(completion.res, _connections[index]);
        }
        if ((completion.flags & IORING_CQE_F_MORE) == 0) {
            _accepting = false;
            // Out of descriptors: the next connection that closes gives one back, and arms again.
            if (completion.res != -EMFILE) {
                arm_accept();
            }
        }
    }

    void complete_receive(int fd, connection& peer, const io_uring_cqe& completion) {
        if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
            auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
            std::string_view bytes(&_buffer_memory[id * buffer_bytes],
                                   static_cast<std::size_t>(std::max(completion.res, 0)));
            peer.owed_bytes += count_heads(peer, bytes) * _reply_bytes;
            give_buffer(id);
        }
        if ((completion.flags & IORING_CQE_F_MORE) == 0) {
            // A receive that found no free buffer starts again; end of stream and errors do not.
            peer.receiving = false;
            if (completion.res > 0 || completion.res == -ENOBUFS) {
                arm_receive(fd, peer);
            }
        }
        go_on(fd, peer);
    }

    void complete_send(int fd, connection& peer, int result) {
        peer.sending = false;
        if (result < 0) {
            // The peer is gone: nothing is owed any more, and the shutdown ends the receive.
            peer.owed_bytes = 0;
            shutdown(fd, SHUT_RDWR);
        } else {
            // A short send leaves the rest owed, from the middle of a reply on.
            std::size_t sent_bytes = static_cast<std::size_t>(result);
            peer.owed_bytes -= sent_bytes;
            peer.reply_offset = (peer.reply_offset + sent_bytes) % _reply_bytes;
            // The peer closes in answer, which ends the receive.
            if (_closes && peer.owed_bytes == 0) {
                shutdown(fd, SHUT_WR);
            }
        }
        go_on(fd, peer);
    }

    // Sends what is owed, and closes once nothing is owed and nothing can come any more.
    void go_on(int fd, connection& peer) {
        if (peer.sending) {
            return;
        }
        if (peer.owed_bytes > 0) {
            send_owed(fd, peer);
        } else if (!peer.receiving) {
            close(fd);
            if (!_accepting) {
                arm_accept();
            }
        }
    }

    const bool _closes;  // After the reply to a request.
    const std::size_t _reply_bytes;
    io_uring _ring = {};
    io_uring_buf_ring* _buffers = nullptr;
    std::vector<char> _buffer_memory;
    std::string _replies;
    std::vector<connection> _connections;  // Indexed by descriptor.
    int _listener = -1;
    bool _accepting = false;
};

unsigned parse_number(std::string_view text, unsigned max) {
    unsigned value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > max) {
        std::fprintf(stderr, "floor: %s is not a number from 0 to %u\n", text.data(), max);
        std::exit(1);
    }
    return value;
}

}  // namespace

int main(int argc, char** argv) {
    unsigned port = 8080;
    bool closes = false;
    for (int i = 1; i < argc; ++i) {
        std::string_view option = argv[i];
        if (option == "--close") {
            closes = true;
        } else if (option == "--port" && i + 1 < argc) {
            port = parse_number(argv[++i], 65535);
        } else if (option == "--cpu" && i + 1 < argc) {
            cpu_set_t cpus;
            CPU_ZERO(&cpus);
            CPU_SET(parse_number(argv[++i], CPU_SETSIZE - 1), &cpus);
            if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0) {
                fail("--cpu", errno);
            }
        } else {
            std::fprintf(stderr, "usage: floor [--port N] [--cpu N] [--close]\n");
            return 1;
        }
    }
    // Nothing here needs undoing that the kernel does not undo, so a signal may end it anywhere.
    std::signal(SIGINT, [](int) { _exit(0); });
    std::signal(SIGTERM, [](int) { _exit(0); });
    responder(static_cast<std::uint16_t>(port), closes).run();
}
