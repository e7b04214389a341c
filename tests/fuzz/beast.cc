// Reads messages with Boost.Beast's parser; the only file that knows it.
#include <miniss/tests/fuzz/reading.hh>

// A fuzzer may show its assertions to be wrong, but here they are not the question.
#define BOOST_DISABLE_ASSERTS
#include <boost/beast/http/basic_parser.hpp>

#include <limits>

namespace miniss::fuzz {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;

std::string copy_of(string_view text) { return std::string(text.data(), text.size()); }

class recording_parser final : public beast::http::basic_parser<true> {
    message _found;
    bool _in_trailers = false;

public:
    recording_parser() {
        eager(true);
        header_limit(std::numeric_limits<std::uint32_t>::max());
        body_limit(std::numeric_limits<std::uint64_t>::max());
    }

    message& found() noexcept { return _found; }

private:
    void on_request_impl(beast::http::verb, string_view method, string_view target, int version,
                         error_code&) override {
        _found.method = copy_of(method);
        _found.target = copy_of(target);
        _found.minor_version = static_cast<unsigned>(version) - 10;
    }
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(beast::http::field, string_view name, string_view value,
                       error_code&) override {
        auto& fields = _in_trailers ? _found.trailers : _found.fields;
        fields.emplace_back(copy_of(name), copy_of(value));
    }
    void on_header_impl(error_code&) override { _in_trailers = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view piece, error_code&) override {
        _found.content.append(piece.data(), piece.size());
        return piece.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) override {
        _found.content.append(piece.data(), piece.size());
        return piece.size();
    }
    void on_finish_impl(error_code&) override {}
};

}  // namespace

reading read_as_beast_does(std::string_view text) {
    reading result;
    while (!text.empty()) {
        // Beast does not know that one empty line may come before a request (RFC 9112 2.2).
        text.remove_prefix(text.starts_with("\r\n") ? 2 : 0);
        if (text == "\r") {
            break;
        }
        recording_parser parser;
        error_code error;
        while (!parser.is_done() && !error && !text.empty()) {
            text.remove_prefix(parser.put(boost::asio::buffer(text.data(), text.size()), error));
        }
        if (error == beast::http::error::need_more || (!error && !parser.is_done())) {
            break;
        }
        if (error) {
            result.refusal = error.message();
            break;
        }
        result.messages.push_back(std::move(parser.found()));
    }
    return result;
}

}  // namespace miniss::fuzz
