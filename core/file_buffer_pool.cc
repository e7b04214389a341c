#include <miniss/core/file_buffer_pool.hh>

#include <sys/mman.h>

#include <new>
#include <utility>

namespace miniss {

namespace {

constexpr const char* name_of_pieces = "file buffers";
constexpr std::size_t small_bytes = 4096;
constexpr std::size_t small_count = 128;
constexpr std::size_t large_bytes = file_buffer_pool::piece_bytes_max;
constexpr std::size_t large_count = 24;
static_assert(small_bytes * small_count + large_bytes * large_count ==
              file_buffer_pool::memory_bytes);

char* map_memory() {
    void* pages = ::mmap(nullptr, file_buffer_pool::memory_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        throw std::bad_alloc();
    }
    return static_cast<char*>(pages);
}

}  // namespace

file_buffer_pool::file_buffer_pool()
    : _small{.use = {name_of_pieces, small_bytes, small_count},
             .pieces = std::make_unique<piece[]>(small_count)},
      _large{.use = {name_of_pieces, large_bytes, large_count},
             .pieces = std::make_unique<piece[]>(large_count)},
      _memory(map_memory()) {
    divide(_small, _memory);
    divide(_large, _memory + small_bytes * small_count);
}

file_buffer_pool::~file_buffer_pool() { ::munmap(_memory, memory_bytes); }

void file_buffer_pool::divide(size_class& into, char* memory) noexcept {
    for (std::size_t i = into.use.piece_count; i-- > 0;) {
        piece& each = into.pieces[i];
        each.pool = this;
        each.home = &into;
        each.memory = memory + i * into.use.piece_bytes;
        each.next_free = std::exchange(into.first_free, &each);
    }
}

temporary_buffer<char> file_buffer_pool::take(std::size_t size_bytes) noexcept {
    if (size_bytes > large_bytes) {
        return {};
    }
    size_class& home = size_bytes <= small_bytes ? _small : _large;
    if (home.first_free == nullptr) {
        ++home.use.missed_count;
        return {};
    }
    piece& taken = *home.first_free;
    home.first_free = taken.next_free;
    home.use.note_taken();
    return temporary_buffer<char>(taken.memory, size_bytes, &taken);
}

void file_buffer_pool::give_back(piece& free) noexcept {
    size_class& home = *free.home;
    free.next_free = std::exchange(home.first_free, &free);
    ++home.use.returned_count;
    die_if_unused();
}

void file_buffer_pool::abandon() noexcept {
    _is_abandoned = true;
    die_if_unused();
}

void file_buffer_pool::die_if_unused() noexcept {
    if (_is_abandoned && _small.use.held_count() + _large.use.held_count() == 0) {
        delete this;
    }
}

void file_buffer_pool::add_statistics(std::vector<pool_statistics>& all) const {
    all.push_back(_small.use);
    all.push_back(_large.use);
}

}  // namespace miniss
