// Splits queries.
#include <miniss/net/http/query.hh>

#include <algorithm>

namespace miniss::http {

query_pairs::iterator& query_pairs::iterator::operator++() noexcept {
    _rest.remove_prefix(std::min(_rest.find_first_not_of('&'), _rest.size()));
    _ended = _rest.empty();
    const std::string_view pair = _rest.substr(0, _rest.find('&'));
    _rest.remove_prefix(pair.size());
    const std::size_t equals = pair.find('=');
    _pair.key = pair.substr(0, equals);
    _pair.value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    return *this;
}

}  // namespace miniss::http
