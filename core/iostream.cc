#include <miniss/core/iostream.hh>

#include <algorithm>
#include <cstring>
#include <utility>

#include <miniss/core/loop.hh>

namespace miniss {

namespace {

// Allocations for small writes, with what a buffer adds to them, are such that the shard has lists
// for them. If the first was not enough there is likely more to come: what it holds moves, so that
// all of it leaves as one piece.
constexpr std::size_t first_tail_bytes = 1000;
constexpr std::size_t next_tail_bytes = 8 * 1024 - 32;

temporary_buffer<char> take_front(temporary_buffer<char>& from, std::size_t size_bytes) {
    auto front = from.share(0, size_bytes);
    from.trim_front(size_bytes);
    return front;
}

}  // namespace

future<temporary_buffer<char>> input_stream<char>::read() {
    if (!_left.empty()) {
        return make_ready_future<temporary_buffer<char>>(std::move(_left));
    }
    if (_ended) {
        return make_ready_future<temporary_buffer<char>>();
    }
    return _source->get().then([this](temporary_buffer<char>&& piece) {
        _ended = piece.empty();
        return std::move(piece);
    });
}

future<temporary_buffer<char>> input_stream<char>::read_up_to(std::size_t size_bytes) {
    return read().then([this, size_bytes](temporary_buffer<char>&& piece) {
        if (piece.size() <= size_bytes) {
            return std::move(piece);
        }
        _left = std::move(piece);
        return take_front(_left, size_bytes);
    });
}

future<temporary_buffer<char>> input_stream<char>::read_exactly(std::size_t size_bytes) {
    if (size_bytes == 0) {
        return make_ready_future<temporary_buffer<char>>();
    }
    return read_up_to(size_bytes).then([this, size_bytes](temporary_buffer<char>&& first) {
        if (first.size() == size_bytes || first.empty()) {
            return make_ready_future<temporary_buffer<char>>(std::move(first));
        }
        temporary_buffer<char> whole(size_bytes);
        std::memcpy(whole.get_write(), first.get(), first.size());
        return collect(std::move(whole), first.size());
    });
}

future<temporary_buffer<char>> input_stream<char>::collect(temporary_buffer<char> into,
                                                           std::size_t have_bytes) {
    struct progress {
        temporary_buffer<char> whole;
        std::size_t have_bytes;
    };
    auto state = std::make_unique<progress>(progress{std::move(into), have_bytes});
    auto& now = *state;
    return repeat([this, &now] {
               return read_up_to(now.whole.size() - now.have_bytes)
                   .then([&now](temporary_buffer<char>&& piece) {
                       if (piece.empty()) {
                           return stop_iteration::yes;
                       }
                       std::memcpy(now.whole.get_write() + now.have_bytes, piece.get(),
                                   piece.size());
                       now.have_bytes += piece.size();
                       return now.have_bytes == now.whole.size() ? stop_iteration::yes
                                                                 : stop_iteration::no;
                   });
           })
        .then_wrapped([this, state = std::move(state)](future<> ended) {
            state->whole.trim(state->have_bytes);
            if (ended.failed()) {  // A read that was interrupted must not lose what it had.
                _left = std::move(state->whole);
                return make_exception_future<temporary_buffer<char>>(ended.get_exception());
            }
            return make_ready_future<temporary_buffer<char>>(std::move(state->whole));
        });
}

future<> input_stream<char>::skip(std::size_t size_bytes) {
    return repeat([this, size_bytes]() mutable {
        if (size_bytes == 0) {
            return make_ready_future<stop_iteration>(stop_iteration::yes);
        }
        return read_up_to(size_bytes).then([&size_bytes](temporary_buffer<char>&& piece) {
            size_bytes -= piece.size();
            return piece.empty() ? stop_iteration::yes : stop_iteration::no;
        });
    });
}

future<> output_stream<char>::write(std::string_view bytes) {
    append(bytes);
    return put_if_much();
}

future<> output_stream<char>::write(temporary_buffer<char> bytes) {
    if (bytes.size() <= copied_bytes_max) {
        append(bytes.view());
    } else {
        finish_tail();
        _pieces_bytes += bytes.size();
        _pieces.push_back(std::move(bytes));
    }
    return put_if_much();
}

future<> output_stream<char>::write(gather_list&& pieces) {
    finish_tail();
    for (auto& piece : pieces) {
        _pieces_bytes += piece.size();
        _pieces.push_back(std::move(piece));
    }
    return put_if_much();
}

void output_stream<char>::append(std::string_view bytes) {
    const std::size_t fitting_bytes = std::min(bytes.size(), _tail.size() - _tail_used_bytes);
    if (fitting_bytes != 0) {  // Otherwise one of them may have no address.
        std::memcpy(_tail.get_write() + _tail_used_bytes, bytes.data(), fitting_bytes);
        _tail_used_bytes += fitting_bytes;
        bytes.remove_prefix(fitting_bytes);
    }
    if (!bytes.empty()) {
        std::memcpy(make_room(bytes.size()), bytes.data(), bytes.size());
        _tail_used_bytes += bytes.size();
    }
}

// The old one is too full.
void output_stream<char>::start_tail(std::size_t room_bytes) {
    const bool is_first = _tail.empty() && _pieces.empty();
    const std::size_t usual_bytes = is_first ? first_tail_bytes : next_tail_bytes;
    const std::size_t moved_bytes = _tail.size() <= first_tail_bytes ? _tail_used_bytes : 0;
    temporary_buffer<char> next(std::max(moved_bytes + room_bytes, usual_bytes));
    if (moved_bytes != 0) {
        std::memcpy(next.get_write(), _tail.get(), moved_bytes);
    } else {
        finish_tail();
    }
    _tail = std::move(next);
    _tail_used_bytes = moved_bytes;
}

// Moves what was written to the tail to the list of pieces; the next small write starts anew.
void output_stream<char>::finish_tail() {
    if (_tail_used_bytes != 0) {
        _tail.trim(_tail_used_bytes);
        _pieces_bytes += std::exchange(_tail_used_bytes, 0);
        _pieces.push_back(std::move(_tail));
    }
}

gather_list output_stream<char>::take_all() {
    finish_tail();
    _pieces_bytes = 0;
    return std::exchange(_pieces, {});
}

future<> output_stream<char>::flush() { return _sink->flush(take_all()); }

future<> output_stream<char>::close() {
    return flush().finally([this] { return _sink->close(); });
}

}  // namespace miniss
