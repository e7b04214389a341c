// Leaving HTTP for another protocol on the same connection.
#pragma once

#include <string_view>

#include <miniss/core/iostream.hh>
#include <miniss/core/noncopyable_function.hh>

namespace miniss::http {

class request;

// Speaks the other protocol, once the 101 was written: see reply::switch_protocols(). The input
// begins with what came behind the request. The connection ends when the future is ready, what was
// written being sent before; if it fails, the connection is cut off.
//
// A server that stops waits for it until its deadline; then reads and writes fail. No limit in time
// holds here but those that the function sets itself.
//
// Lifetime: the streams live until the future is ready, and so does the request.
using upgrade_function = noncopyable_function<future<>(input_stream<char>&, output_stream<char>&)>;

// Whether the peer would like to switch to `protocol`, such as "websocket", whose case does not
// matter. Never in HTTP/1.0 (RFC 9110 7.8).
bool asks_for_upgrade(const request& asked, std::string_view protocol);

}  // namespace miniss::http
