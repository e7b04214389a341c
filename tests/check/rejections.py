#!/usr/bin/env python3
"""What must not compile does not, and the compiler says why in our words.

Usage: rejections.py; the compiler is $CXX or g++.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# What is wrong, the program, and what the compiler has to say.
REJECTED = [
    ("a value whose move may throw", """
        #include <miniss/core/future.hh>
        struct value { value(value&&) noexcept(false); };
        void use(miniss::future<value>& f) { (void)f.available(); }
     """, "a future moves its value from hand to hand"),
    ("a future that is dropped", """
        #include <miniss/core/future.hh>
        miniss::future<> work();
        void use() { work(); }
     """, "nodiscard"),
    ("a callback that does not take the value", """
        #include <miniss/core/future.hh>
        void use(miniss::future<int> f) { (void)f.then([](char*) {}); }
     """, "then"),
    ("a copy of a future", """
        #include <miniss/core/future.hh>
        miniss::future<int> use(miniss::future<int>& f) { return f; }
     """, "future"),
    ("a subscriber that may throw", """
        #include <miniss/core/abort_source.hh>
        void use(miniss::abort_source& s) { (void)s.subscribe([] {}); }
     """, "is_nothrow_invocable"),
]
# Otherwise what is above might fail for another reason.
ACCEPTED = """
    #include <miniss/core/abort_source.hh>
    #include <miniss/core/future.hh>
    struct value { value(value&&) noexcept; };
    void use(miniss::future<value>& f, miniss::abort_source& s) {
        (void)f.available();
        (void)s.subscribe([]() noexcept {});
        (void)miniss::make_ready_future<int>(1).then([](int) {});
    }
"""


def compile_text(include_root, text):
    command = [*os.environ.get("CXX", "g++").split(), "-std=c++20", "-Wall", "-Werror",
               "-fsyntax-only", "-I", include_root, "-x", "c++", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def main():
    failed = False
    with tempfile.TemporaryDirectory() as include_root:
        (pathlib.Path(include_root) / "miniss").symlink_to(ROOT)
        compiles, complaint = compile_text(include_root, ACCEPTED)
        if not compiles:
            print(f"what is right does not compile:\n{complaint}")
            failed = True
        for wrong, text, reason in REJECTED:
            compiles, complaint = compile_text(include_root, text)
            if compiles or reason not in complaint:
                print(f"{wrong}: expected an error with '{reason}', got:\n{complaint}")
                failed = True
    print("rejections: " + ("failed" if failed else "ok"))
    return failed


if __name__ == "__main__":
    sys.exit(main())
