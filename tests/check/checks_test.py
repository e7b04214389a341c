#!/usr/bin/env python3
"""Every rule of the checks can fail: each is broken once here, in a little tree of its own."""
import pathlib
import sys
import tempfile
import unittest

import budgets
import documents
import headers
import layers
import names
import style

sys.path.append(str(pathlib.Path(__file__).parents[1] / "docs"))
import page  # pylint: disable=wrong-import-position

GOOD = {
    "core/meson.build": "'a.hh' 'this_shard.hh'",
    "core/a.hh": "// What it is.\n#pragma once\n#include <vector>\n",
    "core/this_shard.hh": "// What it is.\n#pragma once\ninline thread_local int x = 0;\n",
    "timer/meson.build": "'b.hh' 'b.cc'",
    "timer/b.hh": "// What it is.\n#pragma once\n#include <miniss/core/a.hh>\n",
    "timer/b.cc": "// What it is.\n#include <miniss/timer/b.hh>\n",
}
OPENING = "// What it is.\n#pragma once\n"


def complaints(check, **changes):
    """What `check` says of the good tree after `changes`; core__a_hh stands for core/a.hh."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        renamed = {key.replace("__", "/").replace("_hh", ".hh").replace("_cc", ".cc"): text
                   for key, text in changes.items()}
        for path, text in {**GOOD, **renamed}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return "\n".join(check(root))


def function_of(line_count, opening="int f(int x) {"):
    body_lines = line_count - opening.count("\n") - 2
    return opening + "\n    ++x;" * body_lines + "\n}\n"


class Checks(unittest.TestCase):
    def test_a_good_tree_passes(self):
        for check in (layers, budgets, style, names):
            self.assertEqual(complaints(check.check), "")

    def test_includes_point_downwards(self):
        self.assertIn("core/a.hh:3: core/ must not include timer/", complaints(
            layers.check, core__a_hh=OPENING + "#include <miniss/timer/b.hh>\n"))

    def test_smp_and_net_are_strangers(self):
        self.assertIn("net/c.hh:3: net/ must not include smp/", complaints(
            layers.check, smp__d_hh=OPENING, net__c_hh=OPENING + "#include <miniss/smp/d.hh>\n"))

    def test_files_do_not_include_each_other_in_a_circle(self):
        self.assertIn("circle: core/a.hh -> core/c.hh -> core/a.hh", complaints(
            layers.check, core__a_hh=OPENING + "#include <miniss/core/c.hh>\n",
            core__c_hh=OPENING + "#include <miniss/core/a.hh>\n"))

    def test_futures_do_not_know_of_backends(self):
        self.assertIn("core/a.hh:3: core/future.hh must not know of core/io_backend.hh", complaints(
            layers.check, core__future_hh=OPENING + "#include <miniss/core/a.hh>\n",
            core__a_hh=OPENING + "#include <miniss/core/io_backend.hh>\n",
            core__io_backend_hh=OPENING))

    def test_own_includes_are_spelt_with_the_name_of_the_library(self):
        self.assertIn('core/a.hh:3: write <miniss/...> instead of "core/c.hh"', complaints(
            layers.check, core__a_hh=OPENING + '#include "core/c.hh"\n'))
        self.assertIn("core/a.hh:3: there is no <miniss/core/none.hh>", complaints(
            layers.check, core__a_hh=OPENING + "#include <miniss/core/none.hh>\n"))

    def test_files_are_short(self):
        self.assertEqual(complaints(budgets.check, core__a_hh="//\n" * 450), "")
        self.assertIn("core/a.hh:451: over", complaints(budgets.check, core__a_hh="//\n" * 451))

    def test_functions_are_short(self):
        for before, opening in (
                ("", "int f(int x) {"),
                ("", "template <class T>\nauto f(T x) -> int {"),
                ("struct s {\n", "    s(int x) : a{1}, b(2) {"),
                ("namespace n {\n", "auto f(int x) noexcept\n{"),
                ("", 'TEST_CASE("a { in a string") {')):
            kept, over = (complaints(budgets.check, core__a_hh=before + function_of(size, opening))
                          for size in (60, 61))
            self.assertEqual(kept, "", opening)
            self.assertIn("function of 61 lines", over, opening)

    def test_many_short_functions_are_not_a_long_one(self):
        body = "struct s {\n" + "    int f() { return g({1}); }\n" * 70 + "};\n"
        self.assertEqual(complaints(budgets.check, core__a_hh=OPENING + body), "")

    def test_the_heart_is_small(self):
        many = {f"timer__timer_{number}_cc": "int x;\n// Not code.\n\n" * 140
                for number in range(25)}
        self.assertIn("the heart holds 3502 lines of code", complaints(budgets.check, **many))
        elsewhere = {name.replace("timer__", "net__"): text for name, text in many.items()}
        self.assertEqual(complaints(budgets.check, **elsewhere), "")

    def test_dear_headers_are_banned_in_headers(self):
        text = "// What it is.\n#include <functional>\n"
        self.assertIn("core/a.hh:2: <functional> is banned", complaints(
            budgets.check, core__a_hh=text))
        self.assertEqual(complaints(budgets.check, timer__b_cc=text), "")

    def test_dependencies_stay_in_their_place(self):
        self.assertIn("timer/b.cc:1: <liburing.h> belongs in", complaints(
            budgets.check, timer__b_cc="#include <liburing.h>\n"))
        self.assertIn("smp/e.cc:1: <hwloc.h> is included by smp/d.cc:1 already", complaints(
            budgets.check, smp__d_cc="#include <hwloc.h>\n", smp__e_cc="#include <hwloc.h>\n"))
        self.assertEqual(complaints(budgets.check, smp__d_cc="#include <hwloc.h>\n"), "")

    def test_there_is_one_thread_local(self):
        self.assertIn("timer/b.cc:2: thread_local belongs in", complaints(
            budgets.check, timer__b_cc="// thread_local\nthread_local int y;\n"))

    def test_files_open_with_a_sentence(self):
        self.assertIn("core/a.hh:1: a file opens", complaints(style.check, core__a_hh="int x;\n"))
        self.assertIn("core/a.hh:1: no #pragma once", complaints(style.check, core__a_hh="// A.\n"))

    def test_lines_keep_the_house_rules(self):
        for line, what in (("auto f = [=] {};", "capture by name"), ("// TO" "DO", "finish it"),
                           ("//" + "x" * 99, "over 100"), ("using namespace std;", "no using")):
            self.assertIn(f"core/a.hh:3: {what}", complaints(
                style.check, core__a_hh=OPENING + line + "\n"))
        self.assertEqual(complaints(style.check, core__a_hh=OPENING + '"[=]"\n'), "")

    def test_tests_of_one_program_have_different_names(self):
        test = '// What it is.\nTEST_CASE("a \\"b\\" c", "[d]") {}\n'
        build = {"tests__meson.build": "'core/a_test.cc' 'core/b_test.cc' 'net/a_test.cc'"}
        self.assertIn("tests/core/b_test.cc:2: tests/core/a_test.cc:2 has a test", complaints(
            style.check, **build, **{"tests/core/a_test.cc": test, "tests/core/b_test.cc": test}))
        self.assertEqual(complaints(style.check, **build, **{
            "tests/core/a_test.cc": test, "tests/net/a_test.cc": test}), "")

    def test_every_file_is_built_or_installed(self):
        self.assertIn("core/c.cc:1: core/meson.build does not name it", complaints(
            style.check, core__c_cc="// What it is.\n"))

    def test_public_names_are_explained(self):
        first = OPENING + "namespace miniss {\n\nstruct a {\n    int x = f({1});\n};\n\n"
        for code, name in (("void f(int x = g()) noexcept;", "f"), ("class b {", "b"),
                           ("template <typename T>\n    requires c<T>\nauto d(T x) {", "d"),
                           ("// A group.\nint e();\n\nint h();", "h"),
                           ("// Its\n// type.\nclass g {\n    struct p {};\n\npublic:\n"
                            "    struct q {", "q")):
            self.assertIn(f"nothing says what {name} is", complaints(
                names.check, core__a_hh=first + code))
        for code in ("// Sums.\nint f();\nint f(int x);", "namespace internal {\nint g();\n}",
                     "class known_elsewhere;", "// A type.\nclass g {\n    struct p {};\n};"):
            self.assertEqual(complaints(names.check, core__a_hh=first + code), "", code)

    def test_documents_refer_to_what_exists(self):
        for text, what in (("[a](core/none.hh)", "there is no core/none.hh"),
                           ("\n# A b\n[x](#a-c)", "README.md has no heading #a-c"),
                           ("[`a::f()`](core/a.hh)", "core/a.hh does not know `a::f()`"),
                           ('[`"a n"`](core/a.hh)', "does not know"),
                           ("```cpp\nint f();\n```\n[b](core/a.hh)", "no excerpt of core/a.hh"),
                           ("```cpp\nint f();\n```", "no excerpt of None")):
            self.assertIn(what, complaints(documents.check, **{
                "README.md": text, "core__a_hh": "namespace a {"}))
        self.assertEqual(complaints(documents.check, **{
            "README.md": "# A b\n[x](#a-b) [`a`](core/a.hh) [y](http://z/)\n```\n[v](w)\n```\n"
                         "```cpp\nnamespace a {\n```\n[`\"ace a\"`](core/a.hh)",
            "core__a_hh": "namespace a {"}), "")

    def test_pages_are_listed_and_what_they_show_is_built(self):
        page = {"docs/a.md": "\n```cpp a\n```\n"}
        self.assertIn("README.md does not list it", complaints(documents.check, **page))
        self.assertIn("meson.build does not build", complaints(documents.check, **page))
        self.assertEqual(complaints(documents.check, **page, **{
            "docs/README.md": "[a](a.md)", "docs/meson.build": "    'a': ['a'],"}), "")

    def test_pages_say_what_their_programs_print(self):
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name, "a.md")
            for console, what in (("$ echo a\na\n", ""), ("$ echo a b c\na … c\n", ""),
                                  ("$ echo a\n$ echo b\nb\n", "a.md:2: $ echo a\na\n----"),
                                  ("$ sleep 60 &\n$ kill %1\n", "it ended with -15")):
                path.write_text(f"```console\n{console}```\n", encoding="utf-8")
                found = "\n".join(page.run(str(path), name, []))
                self.assertTrue(what in found if what else not found, found)
            path.write_text("```cpp b\n```\n", encoding="utf-8")
            self.assertIn("shows ['b']", "\n".join(page.run(str(path), name, [])))

    def test_headers_compile_alone(self):
        sys.argv[1:] = []
        self.assertEqual(complaints(headers.check), "")
        for text in ("std::string x;\n", "inline int f(long x) { return x; }\n"):
            self.assertIn("core/a.hh:1: g++ does not compile it alone", complaints(
                headers.check, core__a_hh=OPENING + text))


if __name__ == "__main__":
    unittest.main()
