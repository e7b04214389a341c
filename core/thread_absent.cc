// What there is of fibers where Boost.Context is missing: an error.
#include <cerrno>
#include <system_error>

#include <miniss/core/fiber.hh>
#include <miniss/core/thread.hh>

namespace miniss {

void internal::start_fiber(const thread_attributes&, noncopyable_function<void()>) {
    throw std::system_error(ENOTSUP, std::system_category(),
                            "fibers: miniss was built without Boost.Context");
}

bool thread::running_in_thread() noexcept { return false; }

void thread::yield() noexcept { MINISS_ASSERT(running_in_thread()); }

}  // namespace miniss
