#include <miniss/core/stack_pool.hh>

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace miniss::internal {

// Lies at the upper end of a stack that nobody uses.
struct stack_pool::kept_stack {
    kept_stack* next;
    stack_memory stack;
};

namespace {

std::size_t page_bytes() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

stack_memory map(std::size_t size_bytes) {
    const std::size_t guard_bytes = page_bytes();
    void* const memory = ::mmap(nullptr, guard_bytes + size_bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::system_category(), "no memory for a stack");
    }
    if (::mprotect(memory, guard_bytes, PROT_NONE) != 0) {
        const int error = errno;
        ::munmap(memory, guard_bytes + size_bytes);
        throw std::system_error(error, std::system_category(), "no guard page for a stack");
    }
    return {static_cast<std::byte*>(memory) + guard_bytes, size_bytes};
}

void unmap(stack_memory stack) noexcept {
    ::munmap(stack.bottom - page_bytes(), page_bytes() + stack.size_bytes);
}

}  // namespace

stack_pool::~stack_pool() {
    while (_kept != nullptr) {
        unmap(std::exchange(_kept, _kept->next)->stack);
    }
}

stack_memory stack_pool::take(std::size_t size_bytes) {
    const std::size_t whole_pages = (size_bytes + page_bytes() - 1) / page_bytes() * page_bytes();
    for (kept_stack** link = &_kept; *link != nullptr; link = &(*link)->next) {
        if ((*link)->stack.size_bytes == whole_pages) {
            const stack_memory found = (*link)->stack;
            *link = (*link)->next;
            --_kept_count;
            return found;
        }
    }
    return map(whole_pages);
}

void stack_pool::give_back(stack_memory stack) noexcept {
    if (_kept_count == kept_max) {
        unmap(stack);
        return;
    }
    _kept = ::new (stack.top() - sizeof(kept_stack)) kept_stack{_kept, stack};
    ++_kept_count;
}

}  // namespace miniss::internal
