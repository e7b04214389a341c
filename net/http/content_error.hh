// Why streamed content ended early.
#pragma once

#include <stdexcept>

#include <miniss/net/http/refusal.hh>

namespace miniss::http {

// What reading the content of a request fails with if the peer sends something malformed, too
// much or too slowly, or ends in between. A handler lets it through: the connection then answers
// with why().code. If the connection itself breaks, it is a std::system_error.
class content_error : public std::runtime_error {
    refusal _why;

public:
    explicit content_error(const refusal& why) : std::runtime_error(why.rule), _why(why) {}

    const refusal& why() const noexcept { return _why; }
};

}  // namespace miniss::http
