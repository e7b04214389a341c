#include <miniss/net/http/conditional.hh>

#include <algorithm>
#include <charconv>

#include <miniss/net/http/date.hh>
#include <miniss/net/http/request.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

using internal::trimmed;

enum class comparison : bool { strong, weak };

// Whether a list of entity tags has `current`, which is a strong one, or is a star.
bool lists_tag(std::string_view list, std::string_view current, comparison how) noexcept {
    list = trimmed(list);
    if (list == "*") {
        return true;
    }
    while (!list.empty()) {
        const bool is_weak = list.starts_with("W/");
        list.remove_prefix(is_weak ? 2 : 0);
        const std::size_t end = list.starts_with('"') ? list.find('"', 1) : list.npos;
        if (end == list.npos) {
            return false;
        }
        if (list.substr(0, end + 1) == current && (!is_weak || how == comparison::weak)) {
            return true;
        }
        list = trimmed(list.substr(end + 1));
        while (list.starts_with(',')) {
            list = trimmed(list.substr(1));
        }
    }
    return false;
}

// Whether one of the fields of this name does; none if there is no such field.
std::optional<bool> any_lists_tag(const request& asked, std::string_view name,
                                  std::string_view current, comparison how) {
    std::optional<bool> found;
    for (const auto& [field_name, value] : asked.headers()) {
        if (internal::equals_ignoring_case(field_name, name)) {
            found = found.value_or(false) || lists_tag(value, current, how);
        }
    }
    return found;
}

// Whether the content was modified after the date of the field; none without field, date or time.
std::optional<bool> modified_after(const request& asked, std::string_view name,
                                   const validators& current, std::int64_t now) {
    const auto value = asked.header(name);
    const auto date = value ? parse_date(*value, now) : std::nullopt;
    if (!date || !current.modified) {
        return std::nullopt;
    }
    return *current.modified > *date;
}

// Whether the part asked for is one of what the peer has already. A date does only if it is that
// of a state that has lasted for a while: within a second there may have been several.
bool part_fits(const request& asked, const validators& current, std::int64_t now) {
    const auto value = asked.header("If-Range");
    if (!value) {
        return true;
    }
    if (value->starts_with('"') || value->starts_with("W/")) {
        return *value == current.entity_tag;
    }
    const auto date = parse_date(*value, now);
    return date && current.modified && *date == *current.modified && *date < now;
}

std::optional<std::uint64_t> parse_position(std::string_view digits) noexcept {
    std::uint64_t number = 0;
    const char* end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, number);
    if (stopped != end || error == std::errc::invalid_argument) {
        return std::nullopt;
    }
    return error == std::errc() ? number : UINT64_MAX;  // Beyond the end of anything.
}

range_wish suffix_of(std::uint64_t whole_bytes, std::uint64_t suffix_bytes) noexcept {
    const std::uint64_t bytes = std::min(whole_bytes, suffix_bytes);
    if (bytes == 0) {
        return {status::range_not_satisfiable};
    }
    return {status::partial_content, {whole_bytes - bytes, bytes}};
}

// 0-499, 500- or -500.
range_wish parse_range(std::string_view spec, std::uint64_t whole_bytes) noexcept {
    const std::size_t hyphen = spec.find('-');
    if (hyphen == spec.npos) {
        return {};
    }
    const auto first = parse_position(spec.substr(0, hyphen));
    const auto last = parse_position(spec.substr(hyphen + 1));
    if (hyphen == 0) {
        return last ? suffix_of(whole_bytes, *last) : range_wish();
    }
    const bool is_open = hyphen + 1 == spec.size();
    if (!first || (!last && !is_open) || (last && *last < *first)) {
        return {};
    }
    if (*first >= whole_bytes) {
        return {status::range_not_satisfiable};
    }
    const std::uint64_t end = is_open || *last >= whole_bytes ? whole_bytes : *last + 1;
    return {status::partial_content, {*first, end - *first}};
}

}  // namespace

status check_conditions(const request& asked, const validators& current, std::int64_t now) {
    if (const auto match =
            any_lists_tag(asked, "If-Match", current.entity_tag, comparison::strong)) {
        if (!*match) {
            return status::precondition_failed;
        }
    } else if (modified_after(asked, "If-Unmodified-Since", current, now).value_or(false)) {
        return status::precondition_failed;
    }
    if (const auto match =
            any_lists_tag(asked, "If-None-Match", current.entity_tag, comparison::weak)) {
        return *match ? status::not_modified : status::ok;
    }
    return modified_after(asked, "If-Modified-Since", current, now).value_or(true)
               ? status::ok
               : status::not_modified;
}

range_wish find_range(const request& asked, std::uint64_t whole_bytes, const validators& current,
                      std::int64_t now) {
    constexpr std::string_view unit = "bytes=";
    const auto value = asked.header("Range");
    if (!value || asked.method() != method::get || !part_fits(asked, current, now) ||
        !internal::equals_ignoring_case(value->substr(0, unit.size()), unit)) {
        return {};
    }
    const std::string_view specs = value->substr(unit.size());
    return specs.find(',') == specs.npos ? parse_range(trimmed(specs), whole_bytes) : range_wish();
}

}  // namespace miniss::http
