#include <miniss/core/free_lists.hh>

#include <utility>

namespace miniss::internal {

free_lists::~free_lists() {
    for (list& each : _lists) {
        while (each.first != nullptr) {
            ::operator delete(std::exchange(each.first, each.first->next));
        }
    }
}

}  // namespace miniss::internal
