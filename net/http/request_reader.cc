#include <miniss/net/http/request_reader.hh>

#include <algorithm>

#include <miniss/core/assert.hh>

namespace miniss::http {

namespace {

// What an idle connection may keep for its next request.
constexpr std::size_t kept_capacity_bytes = 256;

void clear_and_shrink(std::string& text) noexcept {
    if (text.capacity() > kept_capacity_bytes) {
        text = std::string();
    } else {
        text.clear();
    }
}

}  // namespace

void request_reader::feed(temporary_buffer<char>&& piece) noexcept {
    MINISS_ASSERT(_piece.empty());
    _piece = std::move(piece);
}

parse_result request_reader::read() {
    if (_error) {
        return parse_result::failed;
    }
    if (_stage == stage::head) {
        if (const auto result = read_head(); result != parse_result::complete) {
            return result;
        }
    }
    switch (_stage) {
    case stage::content:
        return read_content();
    case stage::chunks:
        return read_chunks();
    case stage::head:
    case stage::complete:
        break;
    }
    return parse_result::complete;
}

parse_result request_reader::read_head() {
    const std::size_t held_bytes = _held.size();
    if (held_bytes != 0) {
        _held.append(_piece.view());
    }
    switch (_parser.parse(held_bytes != 0 ? std::string_view(_held) : _piece.view())) {
    case parse_result::failed:
        return fail(_parser.error());
    case parse_result::incomplete:
        if (held_bytes == 0) {
            _held.assign(_piece.view());
        }
        _piece = temporary_buffer<char>();
        return parse_result::incomplete;
    case parse_result::complete:
        break;
    }
    if (held_bytes != 0) {
        _held.resize(_parser.head_bytes());
    } else {
        _current = _piece.share();
    }
    _piece.trim_front(_parser.head_bytes() - held_bytes);
    switch (_parser.head().framing) {
    case body_framing::none:
        _stage = stage::complete;
        break;
    case body_framing::length:
        _stage = stage::content;
        break;
    case body_framing::chunked:
        _stage = stage::chunks;
        break;
    }
    return parse_result::complete;
}

parse_result request_reader::read_content() {
    const std::size_t whole_bytes = static_cast<std::size_t>(_parser.head().content_length);
    const std::size_t taken_bytes = std::min(whole_bytes - _content.size(), _piece.size());
    if (taken_bytes == whole_bytes) {  // All of it in this piece.
        if (!_held.empty()) {
            _current = _piece.share();
        }
        _content_view = _piece.view().substr(0, whole_bytes);
    } else {
        hold_head();
        _content.append(_piece.view().substr(0, taken_bytes));
        _content_view = _content;
    }
    _piece.trim_front(taken_bytes);
    if (_content_view.size() != whole_bytes) {
        _piece = temporary_buffer<char>();
        return parse_result::incomplete;
    }
    _stage = stage::complete;
    return parse_result::complete;
}

parse_result request_reader::read_chunks() {
    for (;;) {
        const auto step = _chunks.consume(_piece.view());
        _content.append(step.data);
        _piece.trim_front(step.used);
        switch (step.what) {
        case chunked_parser::result::data:
            continue;
        case chunked_parser::result::incomplete:
            hold_head();
            _piece = temporary_buffer<char>();
            return parse_result::incomplete;
        case chunked_parser::result::failed:
            return fail(_chunks.error());
        case chunked_parser::result::complete:
            _content_view = _content;
            _stage = stage::complete;
            return parse_result::complete;
        }
    }
}

parse_result request_reader::fail(const refusal& why) noexcept {
    _error = why;
    _piece = temporary_buffer<char>();
    return parse_result::failed;
}

const char* request_reader::head_begin() const noexcept {
    return _held.empty() ? _current.get() : _held.data();
}

// Copies the head, so that its receive buffer need not wait for the rest of the request.
void request_reader::hold_head() {
    if (_held.empty()) {
        _held.assign(_current.get(), _parser.head_bytes());
    }
    _current = temporary_buffer<char>();
}

request request_reader::current() const noexcept {
    MINISS_ASSERT(_stage == stage::complete);
    return request(head_begin(), _parser.head(), _content_view);
}

void request_reader::consume() noexcept {
    _parser.reset();
    _chunks.reset();
    _current = temporary_buffer<char>();
    clear_and_shrink(_held);
    clear_and_shrink(_content);
    _content_view = {};
    _stage = stage::head;
}

bool request_reader::awaits_continue() const noexcept {
    return (_stage == stage::content || _stage == stage::chunks) && _content.empty() &&
           _chunks.body_bytes() == 0 && _parser.head().expects_continue;
}

}  // namespace miniss::http
