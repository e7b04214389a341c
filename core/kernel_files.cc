#include <miniss/core/kernel_files.hh>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace miniss {

namespace {

struct caller {
    long operator()(const open_request& r) const noexcept {
        return ::syscall(SYS_openat2, r.directory, r.path, &r.how, sizeof r.how);
    }
    long operator()(const close_request& r) const noexcept { return ::close(r.fd); }
    long operator()(const read_request& r) const noexcept {
        return r.offset == current_offset
                   ? ::read(r.fd, r.into, r.size_bytes)
                   : ::pread(r.fd, r.into, r.size_bytes, static_cast<off_t>(r.offset));
    }
    long operator()(const write_request& r) const noexcept {
        return r.offset == current_offset
                   ? ::write(r.fd, r.from, r.size_bytes)
                   : ::pwrite(r.fd, r.from, r.size_bytes, static_cast<off_t>(r.offset));
    }
    long operator()(const sync_request& r) const noexcept { return ::fdatasync(r.fd); }
    long operator()(const allocate_request& r) const noexcept {
        return ::fallocate(r.fd, r.mode, static_cast<off_t>(r.offset),
                           static_cast<off_t>(r.size_bytes));
    }
    long operator()(const truncate_request& r) const noexcept {
        return ::ftruncate(r.fd, static_cast<off_t>(r.size_bytes));
    }
    long operator()(const stat_request& r) const noexcept {
        return ::statx(r.directory, r.path, r.flags, stat_mask, r.into);
    }
    long operator()(const rename_request& r) const noexcept { return ::rename(r.from, r.to); }
    long operator()(const remove_request& r) const noexcept {
        return ::unlinkat(AT_FDCWD, r.path, r.flags);
    }
    long operator()(const make_directory_request& r) const noexcept {
        return ::mkdir(r.path, static_cast<mode_t>(r.mode));
    }
    long operator()(const list_request& r) const noexcept {
        return ::syscall(SYS_getdents64, r.fd, r.into, r.size_bytes);
    }
    long operator()(const fill_pipe_request& r) const noexcept {
        auto offset = static_cast<off_t>(r.offset);
        return ::splice(r.fd, &offset, r.pipe, nullptr, r.size_bytes, SPLICE_F_NONBLOCK);
    }
};

}  // namespace

int make_file_call(const file_request& request) noexcept {
    const long result = std::visit(caller(), request.call);
    return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace miniss
