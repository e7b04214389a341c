// What threads that are no shards send to a shard.
#pragma once

#include <miniss/core/task.hh>

namespace miniss::internal {

// A task that any thread may hand to a shard, see mailbox::drop_in(); it runs there.
class outside_letter : public task {
public:
    outside_letter* next = nullptr;  // In the box.

protected:
    ~outside_letter() = default;
};

}  // namespace miniss::internal
