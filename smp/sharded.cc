#include <miniss/smp/sharded.hh>

#include <cxxabi.h>

#include <cstdlib>

namespace miniss {

namespace {

std::string readable_name(const std::type_info& type) {
    int status = -1;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? name.get() : type.name();
}

}  // namespace

no_sharded_instance_exception::no_sharded_instance_exception(const std::type_info& service)
    : _text("no instance of " + readable_name(service) + " on this shard") {}

void internal::complain_not_stopped(const std::type_info& service) noexcept {
    const std::string what = "sharded<" + readable_name(service) + "> is destroyed unstopped";
    assertion_failed(what.c_str(), __FILE__, __LINE__);
}

}  // namespace miniss
