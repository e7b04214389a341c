// Looks handlers up, and answers for paths and methods that have none.
#include <miniss/net/http/routes.hh>

#include <miniss/core/assert.hh>

namespace miniss::http {
namespace {

method_set with_head(method_set methods) noexcept {
    if (methods.contains(method::get)) {
        methods.add(method::head);
    }
    return methods;
}

}  // namespace

routes& routes::add(method_set methods, std::string path, handler answer) {
    _routes.push_back({route_pattern(std::move(path)), with_head(methods), std::move(answer), {}});
    return *this;
}

routes& routes::add_streaming(method_set methods, std::string path, streaming_handler answer) {
    _routes.push_back({route_pattern(std::move(path)), with_head(methods), {}, std::move(answer)});
    return *this;
}

routes& routes::add_any_method(std::string path, handler answer) {
    return add(method_set::all(), std::move(path), std::move(answer));
}

const routes::route* routes::find(request& asked) const noexcept {
    const std::string_view path = asked.path();
    for (const route& candidate : _routes) {
        if (candidate.methods.contains(asked.method()) && candidate.path.matches(path)) {
            asked.set_route(candidate.path);
            return &candidate;
        }
    }
    return nullptr;
}

future<reply> routes::dispatch(request& asked) const {
    const route* found = find(asked);
    if (found == nullptr) {
        return make_ready_future<reply>(refuse(asked));
    }
    MINISS_ASSERT(!found->stream);
    return futurize_invoke(found->answer, asked);
}

method_set routes::allowed(const request& asked) const noexcept {
    const bool everywhere = asked.form() == target_form::asterisk;
    method_set methods;
    for (const route& candidate : _routes) {
        if (everywhere || candidate.path.matches(asked.path())) {
            methods.add(candidate.methods);
        }
    }
    if (everywhere || !methods.empty()) {
        methods.add(method::options);
    }
    return methods;
}

reply routes::refuse(const request& asked) const {
    if (asked.method() == method::connect) {
        return make_error_reply(status::not_implemented);
    }
    const method_set methods = allowed(asked);
    if (methods.empty()) {
        return make_error_reply(status::not_found);
    }
    reply answer = asked.method() == method::options ? reply(status::no_content)
                                                     : make_error_reply(status::method_not_allowed);
    answer.add_header("Allow", methods.to_string());
    return answer;
}

}  // namespace miniss::http
