// The file calls of the real kernel.
#pragma once

#include <miniss/core/file_request.hh>

namespace miniss {

// Makes the call, which may block. What it returns, or -errno.
// Shard: any thread.
int make_file_call(const file_request& request) noexcept;

}  // namespace miniss
