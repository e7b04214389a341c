// The receive buffers that a shard lends to its io_uring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <miniss/core/io_backend.hh>

struct io_uring;
struct io_uring_buf_ring;

namespace miniss::internal {

// The kernel picks a buffer when data arrives, so an idle connection holds none. Whoever reads the
// data gets the buffer itself, and gives it back by dropping it.
//
// Readers that keep buffers must not starve the others: once three quarters are lent out, data is
// copied to the heap and the buffer goes back at once.
//
// Lifetime: all buffers must be back before the ring dies.
// Source:   io_uring_register_buf_ring(3).
class uring_buffer_ring {
    class slot final : public buffer_owner {
        void free_memory() noexcept override;

    public:
        uring_buffer_ring* ring = nullptr;
    };

    io_uring& _uring;
    io_uring_buf_ring* _entries = nullptr;
    char* _memory = nullptr;
    std::unique_ptr<slot[]> _slots;

public:
    static constexpr std::uint16_t group = 0;
    static constexpr unsigned buffer_count = 1024;  // A power of two.
    static constexpr std::size_t buffer_bytes = 4096;

    // Taken are those that came back with bytes; missed is where those were copied to the heap.
    pool_statistics use{"receive buffers", buffer_bytes, buffer_count};

    // Throws std::system_error if the kernel refuses.
    explicit uring_buffer_ring(io_uring& uring);
    ~uring_buffer_ring();
    uring_buffer_ring(const uring_buffer_ring&) = delete;
    uring_buffer_ring& operator=(const uring_buffer_ring&) = delete;

    // The first `size_bytes` of buffer `id`, which the kernel has filled. An empty result means
    // that there was no memory for the copy.
    temporary_buffer<char> take(std::uint16_t id, std::size_t size_bytes) noexcept;

private:
    char* memory_of(unsigned id) const noexcept { return _memory + id * buffer_bytes; }
    void give_back(unsigned id) noexcept;
};

}  // namespace miniss::internal
