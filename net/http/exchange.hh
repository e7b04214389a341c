// What a connection needs only while a request is on its way.
#pragma once

#include <cstdint>
#include <optional>

#include <miniss/net/http/request.hh>
#include <miniss/net/http/request_reader.hh>
#include <miniss/net/http/routes.hh>

namespace miniss::http::internal {

// Apart from the connection, so that idle connections are small: the server keeps a few of them
// (see server::take_exchange()) and hands them to those that have something to read.
struct exchange {
    request_reader reader;
    std::optional<request> asked;  // What is being answered.
    const routes::route* route = nullptr;
    bool continued = false;  // The 100 of this request was sent.
    bool answered = false;   // All but the rest of its content is done with.
    std::uint64_t passed_over_bytes = 0;

    explicit exchange(const limits& bounds) noexcept : reader(bounds) {}

    // What is being answered is the reader's request, with its bytes where they are now.
    void ask_current() noexcept {
        asked.emplace(reader.current());
        if (route != nullptr) {
            asked->set_route(route->path);
        }
    }
};

}  // namespace miniss::http::internal
