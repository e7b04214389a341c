// File operations on an io_uring.
#pragma once

#include <miniss/core/file_request.hh>

struct io_uring_sqe;

namespace miniss::internal {

// False for the few calls that no ring makes, or only those of newer kernels.
bool uring_makes(const file_request& request) noexcept;

// Requires uring_makes(request).
void prepare_file_request(io_uring_sqe* sqe, const file_request& request) noexcept;

}  // namespace miniss::internal
