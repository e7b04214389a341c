#include <miniss/core/kernel_files.hh>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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
    // To these, too, an offset of -1 is where the descriptor stands.
    long operator()(const read_list_request& r) const noexcept {
        return ::preadv2(r.fd, r.pieces, static_cast<int>(r.piece_count),
                         static_cast<off_t>(r.offset), 0);
    }
    long operator()(const write_list_request& r) const noexcept {
        return ::pwritev2(r.fd, r.pieces, static_cast<int>(r.piece_count),
                          static_cast<off_t>(r.offset), 0);
    }
    long operator()(const sync_request& r) const noexcept { return ::fdatasync(r.fd); }
    long operator()(const flags_request& r) const noexcept {
        const int flags = ::fcntl(r.fd, F_GETFL);
        return flags < 0 ? flags : ::fcntl(r.fd, F_SETFL, (flags | r.set) & ~r.cleared);
    }
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

constexpr std::size_t page_bytes = 4096;  // Or a part of one, where they are larger.

// Whether all pages are there; some may still be on their way from the disk.
// Source: cachestat(2), Linux 6.5, which has the same number everywhere. Newer ones tell it of
// files that one could write, only; and of some file systems that are made of others, nothing at
// all.
bool has_pages(int fd, std::uint64_t offset, std::size_t size_bytes) noexcept {
    constexpr long cachestat_number = 451;
    const std::uint64_t range[2] = {offset, size_bytes};
    std::uint64_t counts[5] = {};  // The first one: of the pages that are there.
    const std::uint64_t page_count =
        (offset + size_bytes - 1) / page_bytes - offset / page_bytes + 1;
    return ::syscall(cachestat_number, fd, range, counts, 0) == 0 && counts[0] >= page_count;
}

bool reads_at_once(int fd, std::uint64_t offset) noexcept {
    char byte;
    const iovec piece{&byte, 1};
    return ::preadv2(fd, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
}

}  // namespace

// The last page comes from the disk last. Without has_pages() each one is tried.
bool is_in_memory(int fd, std::uint64_t offset, std::size_t size_bytes) noexcept {
    if (size_bytes == 0 || !reads_at_once(fd, offset + size_bytes - 1)) {
        return false;
    }
    if (has_pages(fd, offset, size_bytes)) {
        return true;
    }
    for (std::size_t at = 0; at < size_bytes; at += page_bytes) {
        if (!reads_at_once(fd, offset + at)) {
            return false;
        }
    }
    return true;
}

int make_file_call(const file_request& request) noexcept {
    const long result = std::visit(caller(), request.call);
    return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace miniss
