// A pipe of the kernel's, through which bytes go from a file to a socket.
#pragma once

namespace miniss::internal {

class pipe_pair {
    int _ends[2];

public:
    // Errors: std::system_error EMFILE, ENFILE.
    pipe_pair();
    pipe_pair(const pipe_pair&) = delete;
    pipe_pair& operator=(const pipe_pair&) = delete;
    ~pipe_pair();

    int read_end() const noexcept { return _ends[0]; }
    int write_end() const noexcept { return _ends[1]; }
};

}  // namespace miniss::internal
