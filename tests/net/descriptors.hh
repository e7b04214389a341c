// For tests of what becomes of file descriptors: how many there are, and what if there are no more.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace miniss {

// Of this process.
inline std::size_t descriptor_count() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all))) - 1;  // The look itself.
}

// While it lives, the process can open no more descriptors than it has. Nor can a sanitizer, which
// needs some to look at a type that it has not met: let what is tested fail for another reason
// before.
class no_more_descriptors {
    rlimit _before{};

public:
    no_more_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &_before);
        rlimit none = _before;
        none.rlim_cur = 0;
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    no_more_descriptors(const no_more_descriptors&) = delete;
    no_more_descriptors& operator=(const no_more_descriptors&) = delete;
    ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &_before); }
};

}  // namespace miniss
