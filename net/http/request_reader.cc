#include <miniss/net/http/request_reader.hh>

#include <algorithm>

namespace miniss::http {

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
    if (_collected) {
        return collect_head();
    }
    switch (_parser.parse(_piece.view())) {
    case parse_result::failed:
        return fail(_parser.error());
    case parse_result::incomplete:
        if (!_piece.empty()) {
            collect().head.assign(_piece.view());
            _piece = temporary_buffer<char>();
        }
        return parse_result::incomplete;
    case parse_result::complete:
        break;
    }
    _current = _piece.share();
    _piece.trim_front(_parser.head_bytes());
    return head_is_complete();
}

// Not all of it came in the first piece.
parse_result request_reader::collect_head() {
    std::string& head = _collected->head;
    const std::size_t earlier_bytes = head.size();
    head.append(_piece.view());
    switch (_parser.parse(head)) {
    case parse_result::failed:
        return fail(_parser.error());
    case parse_result::incomplete:
        _piece = temporary_buffer<char>();
        return parse_result::incomplete;
    case parse_result::complete:
        break;
    }
    head.resize(_parser.head_bytes());
    _piece.trim_front(head.size() - earlier_bytes);
    return head_is_complete();
}

parse_result request_reader::head_is_complete() {
    switch (_parser.head().framing) {
    case body_framing::none:
        _stage = stage::complete;
        break;
    case body_framing::length:
        _stage = stage::content;
        break;
    case body_framing::chunked:
        collect();
        _stage = stage::chunks;
        break;
    }
    return parse_result::complete;
}

request_reader::collected& request_reader::collect() {
    return _collected ? *_collected
                      : _collected.emplace(collected{{}, {}, chunked_parser(_limits), {}});
}

parse_result request_reader::read_content() {
    const std::size_t whole_bytes = static_cast<std::size_t>(_parser.head().content_length);
    const std::size_t earlier_bytes = _collected ? _collected->content.size() : 0;
    const std::size_t taken_bytes = std::min(whole_bytes - earlier_bytes, _piece.size());
    if (taken_bytes == whole_bytes) {  // All of it in this piece.
        if (holds_head()) {
            _current = _piece.share();
        }
        _content_view = _piece.view().substr(0, whole_bytes);
    } else {
        hold_head();
        _content_view = _collected->content.append(_piece.view().substr(0, taken_bytes));
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
        _collected->content.append(step.data);
        _piece.trim_front(step.used);
        switch (step.what) {
        case chunked_parser::result::data:
            continue;
        case chunked_parser::result::incomplete:
            hold_head();
            _piece = temporary_buffer<char>();
            return parse_result::incomplete;
        case chunked_parser::result::failed:
            return fail(_collected->chunks.error());
        case chunked_parser::result::complete:
            _content_view = _collected->content;
            _stage = stage::complete;
            return parse_result::complete;
        }
    }
}

// Takes a step through the chunks, and keeps the trailer section, which is what a step ends with.
chunked_parser::progress request_reader::read_chunk() {
    chunked_parser& chunks = _collected->chunks;
    const std::size_t before = chunks.trailer_bytes();
    const auto step = chunks.consume(_piece.view());
    const std::size_t trailer_bytes = chunks.trailer_bytes() - before;
    _collected->trailers.append(_piece.view().substr(step.used - trailer_bytes, trailer_bytes));
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
        fail(_collected->chunks.error());
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

void request_reader::hold_head() {
    std::string& head = collect().head;
    if (head.empty()) {
        head.assign(_current.get(), _parser.head_bytes());
    }
    _current = temporary_buffer<char>();
}

void request_reader::consume() noexcept {
    _parser.reset();
    _current = temporary_buffer<char>();
    if (_piece.empty()) {  // Nor is its buffer kept from others.
        _piece = temporary_buffer<char>();
    }
    _content_view = {};
    _collected.reset();
    _streamed_bytes = 0;
    _stage = stage::head;
}

bool request_reader::awaits_continue() const noexcept {
    return (_stage == stage::content || _stage == stage::chunks) && _piece.empty() &&
           _streamed_bytes == 0 && _parser.head().expects_continue &&
           (!_collected || (_collected->content.empty() && _collected->chunks.body_bytes() == 0));
}

}  // namespace miniss::http
