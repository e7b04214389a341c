#include <miniss/core/uring_file_buffers.hh>

#include <liburing.h>
#include <sys/uio.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include <miniss/core/log.hh>

namespace miniss::internal {

uring_file_buffers::~uring_file_buffers() {
    if (_pool != nullptr) {
        _pool->abandon();
    }
}

file_buffer_pool* uring_file_buffers::get() noexcept {
    if (_pool == nullptr && !_was_refused) {
        make();
        _was_refused = _pool == nullptr;
    }
    return _pool;
}

// All of it is one buffer for the kernel, of which any part may be read or written.
void uring_file_buffers::make() noexcept {
    int error = -ENOMEM;
    try {
        _pool = new file_buffer_pool;
        const iovec memory{_pool->memory(), file_buffer_pool::memory_bytes};
        error = io_uring_register_buffers(&_ring, &memory, 1);
    } catch (const std::bad_alloc&) {  // As if the kernel had refused.
    }
    if (error < 0) {
        miniss_log().debug("direct I/O goes without registered buffers: {}",
                           std::system_category().message(-error));
        if (_pool != nullptr) {
            std::exchange(_pool, nullptr)->abandon();
        }
    }
}

void uring_file_buffers::add_statistics(std::vector<pool_statistics>& all) const {
    if (_pool != nullptr) {
        _pool->add_statistics(all);
    }
}

}  // namespace miniss::internal
