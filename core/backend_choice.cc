#include <miniss/core/backend_choice.hh>

#include <system_error>

#include <miniss/core/assert.hh>
#include <miniss/core/epoll_backend.hh>
#include <miniss/core/uring_backend.hh>

namespace miniss {

chosen_backend choose_backend(backend_kind wanted) {
    if (wanted == backend_kind::epoll) {
        return {backend_kind::epoll, {}};
    }
    try {
        make_uring_backend();
        return {backend_kind::io_uring, {}};
    } catch (const std::system_error& error) {
        if (wanted == backend_kind::io_uring) {
            throw;
        }
        return {backend_kind::epoll, error.what()};
    }
}

std::unique_ptr<io_backend> make_backend(backend_kind kind, blocking_threads* threads) {
    switch (kind) {
    case backend_kind::io_uring:
        return make_uring_backend(threads);
    case backend_kind::epoll:
        return make_epoll_backend(threads);
    case backend_kind::automatic:
        break;
    }
    MINISS_ASSERT(kind != backend_kind::automatic);  // choose_backend() comes first.
    return nullptr;
}

}  // namespace miniss
