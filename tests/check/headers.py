#!/usr/bin/env python3
"""Every installed header compiles alone, without a warning, and with no include path but ours.

Usage: headers.py [ROOT [COMPILER ...]], where the compilers default to $CXX or g++.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

import tree

FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
         "-Wsign-conversion", "-Wnon-virtual-dtor", "-Wold-style-cast", "-Woverloaded-virtual",
         "-Werror", "-fsyntax-only"]


def compile_alone(compiler, include_root, header):
    """Twice in a row, so that a missing #pragma once shows."""
    unit = f"#include <miniss/{header}>\n" * 2
    result = subprocess.run([*compiler.split(), *FLAGS, "-I", include_root, "-x", "c++", "-"],
                            input=unit, capture_output=True, text=True, check=False)
    return result.returncode, result.stderr.replace(f"{include_root}/miniss/", "")


def check(root):
    headers = [source.name for source in tree.files(root, tree.LIBRARY) if source.is_header]
    compilers = sys.argv[2:] or [os.environ.get("CXX", "g++")]
    with tempfile.TemporaryDirectory() as include_root, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        (pathlib.Path(include_root) / "miniss").symlink_to(root)
        work = {(compiler, header): pool.submit(compile_alone, compiler, include_root, header)
                for compiler in compilers for header in headers}
        for (compiler, header), future in work.items():
            status, complaint = future.result()
            if status != 0:
                yield f"{header}:1: {compiler} does not compile it alone:\n{complaint}"


if __name__ == "__main__":
    tree.main(check)
