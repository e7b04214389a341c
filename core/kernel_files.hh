// The file calls of the real kernel.
#pragma once

#include <miniss/core/file_request.hh>

namespace miniss {

// Makes the call, which may block. What it returns, or -errno.
// Shard: any thread.
int make_file_call(const file_request& request) noexcept;

// Whether the kernel has all of these bytes of a file in memory, so that moving them waits for no
// disk. False where it cannot tell.
bool is_in_memory(int fd, std::uint64_t offset, std::size_t size_bytes) noexcept;

}  // namespace miniss
