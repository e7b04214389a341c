// One of two libraries that use miniss.
#include <miniss/smp/smp.hh>

miniss::future<int> right() {
    return miniss::smp::submit_to(miniss::smp::count - 1, [] { return 7; });
}
