#include <miniss/core/uring_files.hh>

#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>

#include <algorithm>

namespace miniss::internal {

namespace {

// A longer read or write comes back short, as it would from the system call.
unsigned length_of(std::size_t size_bytes) noexcept {
    return static_cast<unsigned>(std::min<std::size_t>(size_bytes, 0x7fff'f000));
}

struct preparer {
    io_uring_sqe* sqe;

    void operator()(const open_request& r) const noexcept {
        // It takes the flags for writable, but the kernel only reads them.
        io_uring_prep_openat2(sqe, r.directory, r.path, const_cast<open_how*>(&r.how));
    }
    void operator()(const close_request& r) const noexcept { io_uring_prep_close(sqe, r.fd); }
    void operator()(const read_request& r) const noexcept {
        io_uring_prep_read(sqe, r.fd, r.into, length_of(r.size_bytes), r.offset);
        if (r.is_registered) {
            become_fixed(IORING_OP_READ_FIXED);
        }
    }
    void operator()(const write_request& r) const noexcept {
        io_uring_prep_write(sqe, r.fd, r.from, length_of(r.size_bytes), r.offset);
        if (r.is_registered) {
            become_fixed(IORING_OP_WRITE_FIXED);
        }
    }
    void operator()(const read_list_request& r) const noexcept {
        io_uring_prep_readv(sqe, r.fd, r.pieces, r.piece_count, r.offset);
    }
    void operator()(const write_list_request& r) const noexcept {
        io_uring_prep_writev(sqe, r.fd, r.pieces, r.piece_count, r.offset);
    }
    void operator()(const sync_request& r) const noexcept {
        io_uring_prep_fsync(sqe, r.fd, IORING_FSYNC_DATASYNC);
    }
    void operator()(const allocate_request& r) const noexcept {
        io_uring_prep_fallocate(sqe, r.fd, r.mode, static_cast<off_t>(r.offset),
                                static_cast<off_t>(r.size_bytes));
    }
    void operator()(const stat_request& r) const noexcept {
        io_uring_prep_statx(sqe, r.directory, r.path, r.flags, stat_mask, r.into);
    }
    void operator()(const rename_request& r) const noexcept {
        io_uring_prep_renameat(sqe, AT_FDCWD, r.from, AT_FDCWD, r.to, 0);
    }
    void operator()(const remove_request& r) const noexcept {
        io_uring_prep_unlinkat(sqe, AT_FDCWD, r.path, r.flags);
    }
    void operator()(const make_directory_request& r) const noexcept {
        io_uring_prep_mkdirat(sqe, AT_FDCWD, r.path, static_cast<mode_t>(r.mode));
    }
    void operator()(const fill_pipe_request& r) const noexcept {
        io_uring_prep_splice(sqe, r.fd, static_cast<std::int64_t>(r.offset), r.pipe, -1,
                             length_of(r.size_bytes), SPLICE_F_NONBLOCK);
    }
    void operator()(const flags_request&) const noexcept {}
    void operator()(const truncate_request&) const noexcept {}
    void operator()(const list_request&) const noexcept {}

    // There is one registered buffer, number 0.
    void become_fixed(std::uint8_t operation) const noexcept {
        sqe->opcode = operation;
        sqe->buf_index = 0;
    }
};

}  // namespace

bool uring_makes(const file_request& request) noexcept {
    return !std::holds_alternative<flags_request>(request.call) &&
           !std::holds_alternative<truncate_request>(request.call) &&
           !std::holds_alternative<list_request>(request.call);
}

void prepare_file_request(io_uring_sqe* sqe, const file_request& request) noexcept {
    std::visit(preparer{sqe}, request.call);
}

}  // namespace miniss::internal
