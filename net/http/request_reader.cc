#include <miniss/net/http/request_reader.hh>

#include <algorithm>

#include <miniss/core/assert.hh>

namespace miniss::http {

namespace {

// What an idle connection may keep for its next request.
constexpr std::size_t kept_capacity_bytes = 256;

// Assigning an empty string would keep the memory.
void clear_and_shrink(std::string& text) noexcept {
    if (text.capacity() > kept_capacity_bytes) {
        std::string().swap(text);
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
    if (_error) {
        return parse_result::failed;
    }
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
        const auto step = read_chunk();
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

// Takes a step through the chunks, and keeps the trailer section, which is what a step ends with.
chunked_parser::progress request_reader::read_chunk() {
    const std::size_t before = _chunks.trailer_bytes();
    const auto step = _chunks.consume(_piece.view());
    const std::size_t trailer_bytes = _chunks.trailer_bytes() - before;
    _trailers.append(_piece.view().substr(step.used - trailer_bytes, trailer_bytes));
    return step;
}

request_reader::content_result request_reader::next_content(temporary_buffer<char>& to) {
    switch (_error ? stage::head : _stage) {
    case stage::head:
        return content_result::failed;
    case stage::complete:
        return content_result::complete;
    case stage::content:
        return next_of_length(to);
    case stage::chunks:
        break;
    }
    const auto step = read_chunk();
    switch (step.what) {
    case content_result::data:
        to = _piece.share(static_cast<std::size_t>(step.data.data() - _piece.get()),
                          step.data.size());
        break;
    case content_result::complete:
        _stage = stage::complete;
        break;
    case content_result::failed:
        fail(_chunks.error());
        return step.what;
    case content_result::incomplete:
        break;
    }
    _piece.trim_front(step.used);
    if (step.what == content_result::incomplete) {
        _piece = temporary_buffer<char>();
    }
    return step.what;
}

request_reader::content_result request_reader::next_of_length(temporary_buffer<char>& to) {
    const std::uint64_t left = content_bytes_to_come();
    if (left == 0) {
        _stage = stage::complete;
        return content_result::complete;
    }
    if (_piece.empty()) {
        _piece = temporary_buffer<char>();
        return content_result::incomplete;
    }
    to = _piece.share(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, _piece.size())));
    _piece.trim_front(to.size());
    _streamed_bytes += to.size();
    return content_result::data;
}

parse_result request_reader::fail(const refusal& why) noexcept {
    _error = why;
    _piece = temporary_buffer<char>();
    return parse_result::failed;
}

const char* request_reader::head_begin() const noexcept {
    return _held.empty() ? _current.get() : _held.data();
}

void request_reader::hold_head() {
    if (_held.empty()) {
        _held.assign(_current.get(), _parser.head_bytes());
    }
    _current = temporary_buffer<char>();
}

request request_reader::current() const noexcept {
    MINISS_ASSERT(_stage != stage::head);
    request result(head_begin(), _parser.head(), _content_view);
    result.set_trailer_section(_trailers);
    return result;
}

void request_reader::consume() noexcept {
    _parser.reset();
    _chunks.reset();
    _current = temporary_buffer<char>();
    if (_piece.empty()) {  // Nor is its buffer kept from others.
        _piece = temporary_buffer<char>();
    }
    clear_and_shrink(_held);
    clear_and_shrink(_content);
    clear_and_shrink(_trailers);
    _streamed_bytes = 0;
    _content_view = {};
    _stage = stage::head;
}

bool request_reader::awaits_continue() const noexcept {
    return (_stage == stage::content || _stage == stage::chunks) && _content.empty() &&
           _piece.empty() && _streamed_bytes == 0 && _chunks.body_bytes() == 0 &&
           _parser.head().expects_continue;
}

}  // namespace miniss::http
