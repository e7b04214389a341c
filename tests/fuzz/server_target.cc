// A fuzz target: a whole server, with a client that sends it these bytes over a simulated network.
#include <miniss/core/report.hh>
#include <miniss/core/when_all.hh>
#include <miniss/net/http/server.hh>
#include <miniss/net/http/text.hh>
#include <miniss/tests/fuzz/fuzz_target.hh>
#include <miniss/tests/net/transfer.hh>
#include <miniss/tests/test_shard.hh>

namespace miniss::fuzz {
namespace {

using namespace http;

future<reply> answer(std::string text) {
    return make_ready_future<reply>(reply(status::ok, "text/plain", std::move(text)));
}

void add_routes(routes& table) {
    table.add({method::get}, "/", [](const request&) { return answer("hello"); });
    table.add_any_method("/echo",
                         [](const request& asked) { return answer(std::string(asked.content)); });
    table.add({method::get, method::put}, "/items/{item}",
              [](const request& asked) { return answer(std::string(*asked.parameter("item"))); });
    table.add_streaming({method::post}, "/upload", [](const request&, input_stream<char>& content) {
        return read_to_end(content).then([](const std::string& all) { return answer(all); });
    });
    table.add_streaming({method::post}, "/unread",
                        [](const request&, input_stream<char>&) { return answer("unread"); });
}

// What does not depend on the moment: no dates, no 100.
std::string without_moments(std::string replies) {
    constexpr std::string_view date = "Date: ";
    for (auto at = replies.find(date); at != std::string::npos; at = replies.find(date, at)) {
        replies.erase(at, replies.find('\n', at) + 1 - at);
    }
    for (auto at = replies.find(continue_head); at != std::string::npos;
         at = replies.find(continue_head, at)) {
        replies.erase(at, continue_head.size());
    }
    return replies;
}

// All that a client gets to read who sends `bytes` in such pieces, and then no more.
std::string talk(std::string_view bytes, std::size_t piece_bytes, std::uint64_t seed) {
    test_shard shard(seed);
    routes table;
    add_routes(table);
    server served(table, {});
    auto listener = listen(socket_address::parse("127.0.0.1:0"));
    const auto address = listener.local_address();
    served.start(std::move(listener));
    std::string replies;
    {
        auto client = shard.run([&] { return connect(address); });
        auto in = client.input();
        auto out = client.output();
        auto sending = write_all(out, std::string(bytes), piece_bytes);
        replies = shard.run([&] { return read_to_end(in); });
        shard.run([&] { return std::move(sending); });
    }
    shard.run([&] { return served.stop(shard.now() + std::chrono::hours(1)); });
    require(served.connection_count() == 0, "a connection is left");
    shard.run_until_rest();
    require(shard.network().descriptor_count() == 0, "a descriptor is left");
    return without_moments(std::move(replies));
}

bool expects_continue(std::string_view bytes) {
    std::string lower(bytes);
    for (char& c : lower) {
        c = http::internal::to_lower(c);
    }
    return lower.find("100-continue") != std::string::npos;
}

}  // namespace

// The first byte chooses the pieces, and with that what the simulated world does.
void fuzz_server(std::string_view input) {
    if (input.empty()) {
        return;
    }
    const auto choice = static_cast<unsigned char>(input.front());
    const auto bytes = input.substr(1);
    const auto failures_before = ignored_failure_count();
    const auto whole = talk(bytes, bytes.size() + 1, 0);
    const auto in_pieces = talk(bytes, choice % 32 + 1, choice);
    require(whole.empty() || whole.starts_with("HTTP/1.1 "), "no reply");
    // Who waits for a 100 or sends his content at once can be told apart, and is.
    require(whole == in_pieces || expects_continue(bytes), "in pieces, the replies are others");
    require(ignored_failure_count() == failures_before, "a failure was dropped");
}

}  // namespace miniss::fuzz
