#include <miniss/smp/borrowed_thread.hh>

#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace miniss::internal {

namespace {

constexpr int this_thread = 0;
constexpr std::size_t word_bits = sizeof(unsigned long) * CHAR_BIT;
// Kernels are built for at most 8,192 CPUs and 1,024 nodes; one that knows more says EINVAL, and
// then nothing is restored.
constexpr std::size_t cpu_words = 8192 / word_bits;
constexpr std::size_t node_words = 1024 / word_bits;

}  // namespace

borrowed_thread::borrowed_thread() : _cpus(cpu_words), _nodes(node_words) {
    (void)pthread_getname_np(pthread_self(), _name.data(), _name.size());
    const long size_bytes = syscall(SYS_sched_getaffinity, this_thread,
                                    _cpus.size() * sizeof(unsigned long), _cpus.data());
    if (size_bytes < 0) {
        _cpus.clear();
    }
    if (syscall(SYS_get_mempolicy, &_memory_policy, _nodes.data(), _nodes.size() * word_bits,
                nullptr, 0) < 0) {
        _memory_policy = -1;
    }
}

borrowed_thread::~borrowed_thread() {
    (void)pthread_setname_np(pthread_self(), _name.data());
    place_here();
}

void borrowed_thread::place_here() const noexcept {
    if (!_cpus.empty()) {
        (void)syscall(SYS_sched_setaffinity, this_thread, _cpus.size() * sizeof(unsigned long),
                      _cpus.data());
    }
    if (_memory_policy >= 0) {
        // The kernel looks at one bit less than it is told of.
        const bool names_nodes = _memory_policy != MPOL_DEFAULT;
        (void)syscall(SYS_set_mempolicy, _memory_policy, names_nodes ? _nodes.data() : nullptr,
                      names_nodes ? _nodes.size() * word_bits + 1 : 0);
    }
}

}  // namespace miniss::internal
