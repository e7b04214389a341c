// Which handler answers a request.
#pragma once

#include <string>
#include <vector>

#include <miniss/core/future.hh>
#include <miniss/core/iostream.hh>
#include <miniss/core/noncopyable_function.hh>
#include <miniss/net/http/method_set.hh>
#include <miniss/net/http/reply.hh>
#include <miniss/net/http/request.hh>
#include <miniss/net/http/route_pattern.hh>

namespace miniss::http {

// Answers one request, whose content is here as a whole. The request stays valid until the reply
// is ready, or, if that is streamed, until its writer is done. An error becomes a 500, and is
// reported like an ignored failure.
using handler = noncopyable_function<future<reply>(const request&)>;

// The same for a request whose content comes in while it is read: see content_error.hh for how
// reading fails. A peer that waits for a 100 gets it at the first read. What the handler leaves
// unread is passed over, or ends the connection if it is long.
//
// Lifetime: as the request; no read may be under way when the reply is ready.
using streaming_handler = noncopyable_function<future<reply>(const request&, input_stream<char>&)>;

// Finds handlers by path and method.
//
// Shard: a table belongs to one shard, and must not change while a server uses it.
class routes {
public:
    // One entry of the table.
    struct route {
        route_pattern path;
        method_set methods;
        handler answer;
        streaming_handler stream;  // This or the other.
    };

    // GET answers HEAD too. More than one route may have the same path, with different methods;
    // the first one that fits is taken. Throws as route_pattern.
    routes& add(method_set methods, std::string path, handler answer);
    routes& add_streaming(method_set methods, std::string path, streaming_handler answer);
    routes& add_any_method(std::string path, handler answer);

    // Nothing if none of them answers this; see refuse().
    const route* find(request& asked) const noexcept;

    // For what no route answers: OPTIONS is told what is allowed, for a path or, asked for *, for
    // all of them; other methods are a 405 on a known path and a 404 on an unknown one. CONNECT is
    // for proxies: 501.
    reply refuse(const request& asked) const;

    // Asks the handler of this request, or refuses it. Not for streaming handlers.
    future<reply> dispatch(request& asked) const;

private:
    std::vector<route> _routes;

    method_set allowed(const request& asked) const noexcept;
};

}  // namespace miniss::http
