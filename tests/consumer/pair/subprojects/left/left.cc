// One of two libraries that use miniss.
#include <miniss/smp/smp.hh>

miniss::future<int> left() {
    return miniss::smp::submit_to(miniss::smp::count - 1, [] { return 6; });
}
