// What can be done to files by their names.
#pragma once

#include <miniss/core/file.hh>

namespace miniss {

// Errors: of all: std::system_error ENOENT, EACCES, ENOTDIR, …; EINVAL for a path with a zero in
// it.

// Errors: EEXIST, ENOSPC.
future<> make_directory(std::string_view path, unsigned permissions = 0755) noexcept;

// The same, if there is none yet.
future<> touch_directory(std::string_view path, unsigned permissions = 0755) noexcept;

// A file or an empty directory.
// Errors: ENOTEMPTY.
future<> remove_file(std::string_view path) noexcept;

// What was called `to` before is replaced.
future<> rename_file(std::string_view from, std::string_view to) noexcept;

// Whether a link stands for itself or for what it points to.
enum class follow_symlink { no, yes };

// What the file system knows of a file.
future<stat_data> file_stat(std::string_view path,
                            follow_symlink follow = follow_symlink::yes) noexcept;
// In bytes.
future<std::uint64_t> file_size(std::string_view path) noexcept;
// False also where something on the way is no directory.
future<bool> file_exists(std::string_view path) noexcept;

}  // namespace miniss
