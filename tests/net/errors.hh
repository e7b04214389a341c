// For tests of operating errors: which errno something fails with.
#pragma once

#include <string>
#include <system_error>

#include <miniss/core/future.hh>

namespace miniss {

// Of the std::system_error that func() throws; 0 if it throws none.
template <typename Func>
int errno_thrown_by(Func&& func) {
    try {
        func();
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

// Of the std::system_error that `work` fails with; 0 if it succeeds.
template <typename T>
future<int> errno_of(future<T> work) {
    return work.then_wrapped(
        [](future<T> ended) { return errno_thrown_by([&ended] { (void)ended.get(); }); });
}

}  // namespace miniss
