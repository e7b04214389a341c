// Which handler answers a request.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <miniss/core/future.hh>
#include <miniss/core/noncopyable_function.hh>
#include <miniss/net/http/reply.hh>
#include <miniss/net/http/request.hh>

namespace miniss::http {

// Answers one request. The request stays valid until the reply is ready. An error becomes a 500,
// and is reported like an ignored failure.
using handler = noncopyable_function<future<reply>(const request&)>;

// Finds handlers by path and method.
//
// Shard: a table belongs to one shard, and must not change while a server uses it.
class routes {
    struct route {
        std::string path;
        std::vector<method> methods;  // Empty: any.
        handler answer;
    };
    std::vector<route> _routes;

public:
    // The path is compared byte by byte, as it was sent. GET answers HEAD too. A path may be added
    // more than once, with different methods; the first route that fits is taken.
    routes& add(std::initializer_list<method> methods, std::string path, handler answer);
    routes& add_any_method(std::string path, handler answer);

    // 404 for an unknown path; 405, with Allow, for a known one with other methods.
    future<reply> dispatch(const request& asked) const;

private:
    static bool fits(const route& candidate, method asked) noexcept;
    reply refuse(const request& asked) const;
};

}  // namespace miniss::http
