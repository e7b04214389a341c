#include <miniss/smp/service_group.hh>

#include <algorithm>

#include <miniss/smp/mailbox.hh>
#include <miniss/smp/smp.hh>

namespace miniss {

namespace {

internal::local_service_groups& groups_here() noexcept {
    MINISS_ASSERT(this_shard->mail != nullptr);  // Otherwise: not on a shard of a runtime.
    return this_shard->mail->groups();
}

}  // namespace

unsigned internal::local_service_groups::find_free_id() const noexcept {
    const auto free = std::find(_groups.begin(), _groups.end(), nullptr);
    return static_cast<unsigned>(free - _groups.begin()) + 1;
}

void internal::local_service_groups::create(unsigned id, const smp_service_group_config& config) {
    if (_groups.size() < id) {
        _groups.resize(id);
    }
    const std::size_t limit = config.max_nonlocal_requests;
    const std::size_t part = std::max<std::size_t>(limit / std::max(_shard_count - 1, 1U), 1);
    _groups[id - 1] = std::make_unique<group>();
    _groups[id - 1]->credit_count = limit == 0 ? 0 : part;
    _groups[id - 1]->by_shard.resize(_shard_count);
}

void internal::local_service_groups::destroy(unsigned id) noexcept {
    for (const auto& credits : _groups[id - 1]->by_shard) {
        const bool at_rest =
            credits == nullptr || credits->current() == _groups[id - 1]->credit_count;
        MINISS_ASSERT(at_rest);  // Otherwise: a call of the group is under way.
    }
    _groups[id - 1].reset();
}

semaphore* internal::local_service_groups::find_credits(smp_service_group of,
                                                        unsigned to) noexcept {
    if (of == default_smp_service_group()) {
        return nullptr;
    }
    const bool exists = of.id() <= _groups.size() && _groups[of.id() - 1] != nullptr;
    MINISS_ASSERT(exists);  // Otherwise: destroyed.
    MINISS_ASSERT(to < _shard_count);
    group& found = *_groups[of.id() - 1];
    if (found.credit_count == 0) {
        return nullptr;
    }
    if (found.by_shard[to] == nullptr) {
        found.by_shard[to] = std::make_unique<semaphore>(found.credit_count);
    }
    return found.by_shard[to].get();
}

// Shard 0 gives the numbers out.
future<smp_service_group> create_smp_service_group(smp_service_group_config config) noexcept {
    return smp::submit_to(0,
                          [config] {
                              const unsigned id = groups_here().find_free_id();
                              groups_here().create(id, config);
                              return id;
                          })
        .then([config](unsigned id) {
            return smp::invoke_on_all([id, config] {
                       if (this_shard_id() != 0) {
                           groups_here().create(id, config);
                       }
                   })
                .then([id] { return smp_service_group(id); });
        });
}

future<> destroy_smp_service_group(smp_service_group group) noexcept {
    MINISS_ASSERT(group != default_smp_service_group());
    return smp::invoke_on_all([group] {
               if (this_shard_id() != 0) {
                   groups_here().destroy(group.id());
               }
           })
        .then([group] {  // The number is free when nobody knows it any more.
            return smp::submit_to(0, [group] { groups_here().destroy(group.id()); });
        });
}

}  // namespace miniss
