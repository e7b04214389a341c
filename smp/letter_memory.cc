#include <miniss/smp/letter_memory.hh>

#include <new>

#include <miniss/smp/spsc_queue.hh>

namespace miniss::internal {

namespace {

constexpr std::align_val_t line{cache_line_bytes};

}  // namespace

letter_memory::~letter_memory() {
    while (_kept != nullptr) {
        block* const first = _kept;
        _kept = first->next;
        ::operator delete(first, line);
    }
}

void* letter_memory::allocate(std::size_t bytes) {
    if (bytes > block_bytes) [[unlikely]] {
        return ::operator new(bytes);
    }
    if (_kept == nullptr) [[unlikely]] {
        return ::operator new(block_bytes, line);
    }
    block* const first = _kept;
    _kept = first->next;
    --_kept_count;
    return first;
}

void letter_memory::free(void* letter, std::size_t bytes) noexcept {
    if (bytes > block_bytes) [[unlikely]] {
        ::operator delete(letter);
    } else if (_kept_count == kept_count_max) [[unlikely]] {
        ::operator delete(letter, line);
    } else {
        _kept = ::new (letter) block{_kept};
        ++_kept_count;
    }
}

}  // namespace miniss::internal
