// Stands in for uring_backend.cc where there is no liburing.
#include <cerrno>
#include <system_error>

#include <miniss/core/uring_backend.hh>

namespace miniss {

std::unique_ptr<io_backend> make_uring_backend(blocking_threads*) {
    throw std::system_error(ENOSYS, std::system_category(), "this build has no io_uring");
}

}  // namespace miniss
