#include <miniss/core/uring_buffer_ring.hh>

#include <liburing.h>
#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <system_error>

#include <miniss/core/assert.hh>

namespace miniss::internal {

namespace {

constexpr std::size_t entries_bytes = uring_buffer_ring::buffer_count * sizeof(io_uring_buf);
constexpr std::size_t memory_bytes =
    uring_buffer_ring::buffer_count * uring_buffer_ring::buffer_bytes;

// Page-aligned and untouched: pages that no data ever reaches cost nothing.
void* map_pages(std::size_t size_bytes) {
    void* pages =
        ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        throw std::system_error(errno, std::system_category(), "mmap of receive buffers");
    }
    return pages;
}

}  // namespace

void uring_buffer_ring::slot::free_memory() noexcept {
    ring->give_back(static_cast<unsigned>(this - ring->_slots.get()));
}

uring_buffer_ring::uring_buffer_ring(io_uring& uring)
    : _uring(uring), _slots(std::make_unique<slot[]>(buffer_count)) {
    // One mapping holds the ring's entries and, behind them, the buffers.
    _entries = static_cast<io_uring_buf_ring*>(map_pages(entries_bytes + memory_bytes));
    _memory = reinterpret_cast<char*>(_entries) + entries_bytes;
    io_uring_buf_ring_init(_entries);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(_entries);
    registration.ring_entries = buffer_count;
    registration.bgid = group;
    const int error = io_uring_register_buf_ring(&_uring, &registration, 0);
    if (error < 0) {
        ::munmap(_entries, entries_bytes + memory_bytes);
        throw std::system_error(-error, std::system_category(), "io_uring_register_buf_ring");
    }
    for (unsigned id = 0; id < buffer_count; ++id) {
        _slots[id].ring = this;
        give_back(id);
    }
    use.returned_count = 0;  // They were never taken.
}

uring_buffer_ring::~uring_buffer_ring() {
    MINISS_ASSERT(use.held_count() == 0);  // A temporary_buffer outlived its shard.
    io_uring_unregister_buf_ring(&_uring, group);
    ::munmap(_entries, entries_bytes + memory_bytes);
}

temporary_buffer<char> uring_buffer_ring::take(std::uint16_t id, std::size_t size_bytes) noexcept {
    use.note_taken();
    temporary_buffer<char> lent(memory_of(id), size_bytes, &_slots[id]);
    if (use.held_count() <= buffer_count / 4 * 3) {
        return lent;
    }
    ++use.missed_count;
    try {
        return lent.clone();
    } catch (const std::bad_alloc&) {
        return temporary_buffer<char>();
    }
}

void uring_buffer_ring::give_back(unsigned id) noexcept {
    ++use.returned_count;
    io_uring_buf_ring_add(_entries, memory_of(id), buffer_bytes, static_cast<std::uint16_t>(id),
                          io_uring_buf_ring_mask(buffer_count), 0);
    io_uring_buf_ring_advance(_entries, 1);
}

}  // namespace miniss::internal
