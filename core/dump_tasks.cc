#include <miniss/core/dump_tasks.hh>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <miniss/core/location_text.hh>
#include <miniss/core/log_writer.hh>
#include <miniss/core/reactor.hh>

namespace miniss {

namespace {

using internal::location_text;

struct chain_kind {
    const task* example;  // Its innermost task.
    std::size_t count = 0;
    std::size_t number = 0;  // In order of age.
};

// Calls visit(task) for each that waits, the oldest first.
template <typename Visit>
void for_each_waiting(const shard_context& shard, Visit&& visit) {
    const internal::task_link& ends = shard.waiting;
    for (const auto* link = ends._previous; link != &ends; link = link->_previous) {
        visit(static_cast<const task&>(*link));
    }
}

code_location source_of(const task& innermost) {
    const code_location* source = innermost.ties().source;
    return source == nullptr ? code_location() : *source;
}

void append_bytes(std::string& key, code_location where) {
    const char* text = where.text();
    const unsigned number = where.number();
    key.append(reinterpret_cast<const char*>(&text), sizeof text);
    key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// The same for all chains that look alike.
std::string key_of(const task& innermost) {
    std::string key;
    append_bytes(key, source_of(innermost));
    std::size_t left_count = internal::dumped_links_max;
    for (const task* each = &innermost; each != nullptr && left_count != 0; --left_count) {
        append_bytes(key, each->attached_at);
        each = each->ties().waiter;
    }
    return key;
}

std::string describe_source(const task& innermost) {
    const code_location source = source_of(innermost);
    if (!source.known()) {
        return "?";
    }
    return (source.is_named() ? "" : "promise of ") + std::string(location_text(source).c_str());
}

std::string describe_chain(const task& innermost) {
    std::string text = describe_source(innermost);
    std::size_t link_count = 0;
    for (const task* each = &innermost; each != nullptr; each = each->ties().waiter) {
        if (link_count < internal::dumped_links_max) {
            const location_text place(each->attached_at);
            text += " <- ";
            text += place.empty() ? "?" : place.c_str();
        }
        ++link_count;
    }
    if (link_count > internal::dumped_links_max) {
        text += " <- " + std::to_string(link_count - internal::dumped_links_max) + " more";
    }
    return text;
}

// The innermost task of every chain stands for it: the one that no other task feeds.
std::vector<chain_kind> find_kinds(const shard_context& shard) {
    std::unordered_set<const task*> fed;
    for_each_waiting(shard, [&fed](const task& each) { fed.insert(each.ties().waiter); });
    std::unordered_map<std::string, chain_kind> kinds;
    for_each_waiting(shard, [&fed, &kinds](const task& each) {
        if (!fed.contains(&each)) {
            auto [found, added] = kinds.try_emplace(key_of(each));
            if (added) {
                found->second = {.example = &each, .number = kinds.size()};
            }
            ++found->second.count;
        }
    });
    std::vector<chain_kind> sorted;
    for (const auto& [key, kind] : kinds) {
        sorted.push_back(kind);
    }
    std::sort(sorted.begin(), sorted.end(), [](const chain_kind& a, const chain_kind& b) {
        return a.count != b.count ? a.count > b.count : a.number < b.number;
    });
    return sorted;
}

std::size_t count_waiting(const shard_context& shard) {
    std::size_t count = 0;
    for_each_waiting(shard, [&count](const task&) { ++count; });
    return count;
}

std::string describe(const pool_statistics& pool) {
    const std::string of = pool.piece_count == 0 ? "" : " of " + std::to_string(pool.piece_count);
    return std::string(pool.name) + " of " + std::to_string(pool.piece_bytes) +
           " bytes: " + std::to_string(pool.held_count()) + of + " held, " +
           std::to_string(pool.held_count_max) + " at most; " + std::to_string(pool.taken_count) +
           " taken, " + std::to_string(pool.returned_count) + " given back; " +
           std::to_string(pool.missed_count) + " times there was none to spare, " +
           std::to_string(pool.starved_count) + " times somebody waited for one\n";
}

}  // namespace

std::string describe_tasks(const shard_context& shard) {
    const std::vector<chain_kind> kinds = find_kinds(shard);
    std::string text = "miniss: shard " + std::to_string(shard.id) + ": " +
                       std::to_string(count_waiting(shard)) + " tasks wait, " +
                       std::to_string(shard.loop->ready_count()) + " are ready to run\n";
    std::size_t left_count = 0;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        if (i >= internal::dumped_kinds_max) {
            left_count += kinds[i].count;
            continue;
        }
        const std::string count = std::to_string(kinds[i].count);
        text.append(count.size() < 6 ? 6 - count.size() : 0, ' ');
        text += count + " x " + describe_chain(*kinds[i].example) + '\n';
    }
    if (left_count != 0) {
        text += "       and " + std::to_string(left_count) + " chains of " +
                std::to_string(kinds.size() - internal::dumped_kinds_max) + " other kinds\n";
    }
    return text;
}

std::string describe_pools(const shard_context& shard) {
    std::vector<pool_statistics> all = shard.loop->backend().pools();
    for (std::size_t i = 0; i < internal::free_lists::list_count; ++i) {
        all.push_back(shard.free_memory.statistics(i));
    }
    std::string text;
    for (const pool_statistics& each : all) {
        if (each.taken_count != 0 || each.returned_count != 0) {
            text += "miniss: shard " + std::to_string(shard.id) + ": " + describe(each);
        }
    }
    return text;
}

void dump_tasks() noexcept {
    internal::bring_to_stderr(describe_tasks(*this_shard) + describe_pools(*this_shard));
}

}  // namespace miniss
