// Files as streams of bytes.
#pragma once

#include <cstdint>
#include <limits>

#include <miniss/core/file.hh>
#include <miniss/core/iostream.hh>

namespace miniss {

// How much of a file is read at a time.
struct file_input_stream_options {
    std::size_t buffer_size = 64 * 1024;  // Of one read. A multiple of the file's alignment.
    // How many buffers are read ahead of the reader, once he has asked for a second one.
    unsigned read_ahead = 1;
};

// Reads `size_bytes` bytes of a file from `offset` on, or what there is. close() waits for the
// reads that are under way, and does not close the file.
//
// Errors: those of file::dma_read().
// Cost:   memory for 1 + read_ahead buffers.
input_stream<char> make_file_input_stream(
    file source, std::uint64_t offset = 0,
    std::uint64_t size_bytes = std::numeric_limits<std::uint64_t>::max(),
    file_input_stream_options options = {});
input_stream<char> make_file_input_stream(file source, file_input_stream_options options);

// How much of a written file is under way at a time.
struct file_output_stream_options {
    std::size_t buffer_size = 64 * 1024;  // Of one write. A multiple of the file's alignment.
    // How many buffers are written behind the writer's back. He waits when there are more.
    unsigned write_behind = 1;
};

// Writes a file from its beginning on, or, if it was opened with open_flags::append, from its end,
// one buffer at a time; that cannot be done by direct I/O (EINVAL). What is written is on its way
// to the file once a buffer is full; flush() and close() have it on the disk, and close() closes
// the file.
//
// Errors: those of file::dma_write(), file::flush() and file::close(). The first one comes out of
//         the next write() or flush(), and of all later ones; close() comes last, so a file whose
//         close() succeeded is whole.
// Cost:   memory for 2 + write_behind buffers.
future<output_stream<char>> make_file_output_stream(file target,
                                                    file_output_stream_options options = {});

}  // namespace miniss
