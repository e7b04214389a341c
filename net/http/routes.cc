#include <miniss/net/http/routes.hh>

#include <algorithm>

namespace miniss::http {

routes& routes::add(std::initializer_list<method> methods, std::string path, handler answer) {
    _routes.push_back({std::move(path), methods, std::move(answer)});
    return *this;
}

routes& routes::add_any_method(std::string path, handler answer) {
    return add({}, std::move(path), std::move(answer));
}

bool routes::fits(const route& candidate, method asked) noexcept {
    const auto& methods = candidate.methods;
    const auto takes = [&methods](method wanted) {
        return std::find(methods.begin(), methods.end(), wanted) != methods.end();
    };
    return methods.empty() || takes(asked) || (asked == method::head && takes(method::get));
}

future<reply> routes::dispatch(const request& asked) const {
    const std::string_view path = asked.path();
    for (const route& candidate : _routes) {
        if (candidate.path == path && fits(candidate, asked.method())) {
            return futurize_invoke(candidate.answer, asked);
        }
    }
    return make_ready_future<reply>(refuse(asked));
}

reply routes::refuse(const request& asked) const {
    std::string allowed;
    for (const route& candidate : _routes) {
        if (candidate.path == asked.path()) {
            for (const method each : candidate.methods) {
                allowed += allowed.empty() ? "" : ", ";
                allowed += name_of(each);
                allowed += each == method::get ? ", HEAD" : "";
            }
        }
    }
    if (allowed.empty()) {
        return make_error_reply(status::not_found);
    }
    return std::move(make_error_reply(status::method_not_allowed).add_header("Allow", allowed));
}

}  // namespace miniss::http
