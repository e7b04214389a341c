// Prints files one after the other, as cat(1) does.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include <miniss/core/coroutine.hh>
#include <miniss/core/coroutine/as_future.hh>
#include <miniss/core/file_stream.hh>
#include <miniss/smp/app_template.hh>

using namespace miniss;

namespace {

void complain(const std::string& about, const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& failed) {
        std::fprintf(stderr, "cat: %s: %s\n", about.c_str(), failed.code().message().c_str());
    }
}

// False if not all of it could be read. Fails if it could not be written.
future<bool> print(std::string name, file standard_input, output_stream<char>& out) {
    file source = standard_input;
    if (name != "-") {
        auto opened = co_await coroutine::as_future(open_file(name, open_flags::ro));
        if (opened.failed()) {
            complain(name, opened.get_exception());
            co_return false;
        }
        source = opened.get();
    }
    auto in = make_file_input_stream(source);
    std::exception_ptr read_error;
    std::exception_ptr write_error;
    bool ended = false;
    while (!ended && !read_error && !write_error) {
        auto read = co_await coroutine::as_future(in.read());
        if (read.failed()) {
            read_error = read.get_exception();
            continue;
        }
        auto piece = read.get();
        ended = piece.empty();
        auto written = co_await coroutine::as_future(out.write(std::move(piece)));
        if (written.failed()) {
            write_error = written.get_exception();
        }
    }
    co_await in.close();
    if (write_error) {
        std::rethrow_exception(write_error);
    }
    if (read_error) {
        complain(name, read_error);
    }
    co_return !read_error;
}

// The exit status.
future<int> print_all(const std::vector<std::string>& names) {
    const file standard_input = file::from_descriptor(STDIN_FILENO);
    auto out = co_await make_file_output_stream(file::from_descriptor(STDOUT_FILENO));
    int status = 0;
    std::exception_ptr error;
    for (const std::string& name : names) {
        auto printed = co_await coroutine::as_future(print(name, standard_input, out));
        if (printed.failed()) {
            error = printed.get_exception();
            break;
        }
        status |= printed.get() ? 0 : 1;
    }
    auto closed = co_await coroutine::as_future(out.close());
    if (closed.failed()) {
        error = closed.get_exception();
    }
    if (error) {
        complain("standard output", error);
        co_return 1;
    }
    co_return status;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> names;
    app_template app({.name = "cat", .description = "Prints files one after the other."});
    app.add_arguments("FILE", names, "What to print; - or none at all is standard input");
    return app.run(argc, argv, [&names] {
        if (names.empty()) {
            names.emplace_back("-");
        }
        return print_all(names);
    });
}
