"""scripts/lint.sh and its helpers, in a repository of their own with planted errors: each check must find its kind."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"{tool} is not installed (scripts/setup.sh --lint)")


class Lint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repo = pathlib.Path(folder.name).resolve()
        shutil.copytree(SOURCE / "scripts", self.repo / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for name in (".clang-format", ".clang-tidy"):
            shutil.copy(SOURCE / name, self.repo)
        (self.repo / "build").mkdir()
        (self.repo / ".gitignore").write_text("build/\n")
        subprocess.run(["git", "init", "-q", "."], cwd=self.repo, check=True)

    def write(self, name, text, mode=0o644):
        file = self.repo / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def call(self, *command):
        subprocess.run(["git", "add", "-A"], cwd=self.repo, check=True)
        run = subprocess.run([str(word) for word in command], cwd=self.repo, capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def lint(self, *arguments):
        return self.call("scripts/lint.sh", *arguments)

    def build_tree(self, *sources):
        """What a configured build tree says of the sources."""
        entries = [{"directory": str(self.repo / "build"), "file": str(self.repo / source),
                    "command": f"c++ -I{self.repo}/src -std=c++20 -Wno-restrict -c {self.repo / source}"}
                   for source in sources]
        (self.repo / "build/compile_commands.json").write_text(json.dumps(entries))

    def test_text(self):
        self.assertEqual(self.lint("text")[0], 0)
        self.write("blank.md", "a line \n")
        self.write("open.md", "no newline")
        status, output = self.lint("text")
        self.assertEqual(status, 1)
        self.assertIn("blank.md:1:", output)
        self.assertIn("open.md: no newline", output)
        self.assertIn("0 passed, 1 failed", output)

    @needs("clang-format-14")
    def test_format(self):
        file = self.write("src/a.cpp", "int  f( ){return 1;}\n")
        status, output = self.lint("format")
        self.assertEqual(status, 1)
        self.assertIn("src/a.cpp", output)
        self.assertEqual(self.lint("--fix", "format")[0], 0)
        self.assertEqual(file.read_text(), "int f() { return 1; }\n")
        self.assertEqual(self.lint("format")[0], 0)

    @needs("shellcheck")
    def test_shell(self):
        self.write("tool", "#!/usr/bin/env bash\nrm $1\n", 0o755)
        status, output = self.lint("shell")
        self.assertEqual(status, 1)
        self.assertIn("SC2086", output)

    def test_python(self):
        self.write("tool.py", "def f(:\n")
        status, output = self.lint("python")
        self.assertEqual(status, 1)
        self.assertIn("tool.py", output)

    def test_a_failed_check_does_not_hide_the_next(self):
        self.write("tool.py", "def f(:\n")
        status, output = self.lint("python", "text")
        self.assertEqual(status, 1)
        self.assertIn("1 passed, 1 failed", output)

    def test_an_unknown_check_is_an_error(self):
        status, output = self.lint("colour")
        self.assertEqual(status, 2)
        self.assertIn('unknown check', output)

    def headers(self):
        return self.call("python3", "scripts/lint/headers.py", "build", "2")

    def test_headers(self):
        self.write("src/m/good.h", "#pragma once\n#include <string>\nstd::string good();\n")
        self.write("src/m/good.cpp", '#include "m/good.h"\n')
        self.build_tree("src/m/good.cpp")
        self.assertEqual(self.headers()[0], 0)
        self.write("src/m/leaning.h", "#pragma once\nstd::string leaning();\n")
        status, output = self.headers()
        self.assertEqual(status, 1)
        self.assertIn("src/m/leaning.h does not compile by itself", output)
        self.write("src/m/leaning.h", "#pragma once\n#include \"m/good.h\"\nstd::string leaning();\n")
        self.assertEqual(self.headers()[0], 0)

    def test_headers_lean_on_no_library_that_they_do_not_include(self):
        self.write("include/nlohmann/json.hpp", "#pragma once\nnamespace nlohmann { struct json {}; }\n")
        self.write("src/m/with.h", "#pragma once\n#include <nlohmann/json.hpp>\nnlohmann::json with();\n")
        self.write("src/m/without.h", "#pragma once\nnlohmann::json without();\n")
        self.write("src/m/good.cpp", "\n")
        self.build_tree("src/m/good.cpp")
        status, output = self.headers()
        self.assertEqual(status, 1)
        self.assertIn("src/m/without.h does not compile by itself", output)
        self.assertNotIn("src/m/with.h does not", output)

    def tidy(self, *paths):
        return self.call("python3", "scripts/lint/tidy.py", "build", "2", *paths)

    @needs("clang-tidy-14")
    def test_tidy(self):
        # Both have a name of their own file alone; the error is in the second, which does not compile behind the first.
        self.write("src/m/one.cpp", "namespace { const int kSize = 1; }\nint one() { return kSize; }\n")
        self.write("src/m/two.cpp", "namespace { const long kSize = 2; }\nint* two(long* size) { *size = kSize; return 0; }\n")
        self.build_tree("src/m/one.cpp", "src/m/two.cpp")
        status, output = self.tidy()
        self.assertEqual(status, 1)
        self.assertIn("src/m/two.cpp:2:", output)
        self.assertIn("modernize-use-nullptr", output)
        self.assertNotIn("one.cpp", output)
        self.assertNotIn("clang-diagnostic-error", output)
        self.write("src/m/two.cpp", "namespace { const long kSize = 2; }\nlong two() { return kSize; }\n")
        self.assertEqual(self.tidy()[0], 0)
        self.assertEqual(self.tidy()[0], 0)  # remembered
        self.write("src/m/two.cpp", "int* two() { return 0; }\n")
        self.assertEqual(self.tidy()[0], 1)  # and looked at again when it changed

    @needs("clang-tidy-14")
    def test_tidy_names_what_it_cannot_read(self):
        self.write("src/m/one.cpp", "int one() { return missing; }\n")
        self.build_tree("src/m/one.cpp")
        status, output = self.tidy("src/m")
        self.assertEqual(status, 1)
        self.assertIn("clang-diagnostic-error", output)
        self.assertNotEqual(self.tidy("src/other")[0], 0)  # no source there: nothing was checked


if __name__ == "__main__":
    unittest.main()
