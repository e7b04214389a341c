#include <miniss/core/pipe_pair.hh>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace miniss::internal {

pipe_pair::pipe_pair() {
    if (::pipe2(_ends, O_CLOEXEC) < 0) {
        throw std::system_error(errno, std::system_category(), "pipe");
    }
}

pipe_pair::~pipe_pair() {
    (void)::close(_ends[0]);
    (void)::close(_ends[1]);
}

}  // namespace miniss::internal
