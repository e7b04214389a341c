// Options for tests that run real shards.
#pragma once

#include <cstdlib>
#include <string_view>

#include <miniss/smp/runtime.hh>

namespace miniss {

// That many shards, on the backend that MINISS_TEST_BACKEND names, also where there are not as many
// CPUs.
inline runtime_options tested_shards(unsigned count) {
    const char* named = std::getenv("MINISS_TEST_BACKEND");
    const std::string_view backend = named == nullptr ? "" : named;
    runtime_options options;
    options.shard_count = count;
    options.backend = backend == "io_uring" ? backend_kind::io_uring
                      : backend == "epoll"  ? backend_kind::epoll
                                            : backend_kind::automatic;
    return options;
}

}  // namespace miniss
