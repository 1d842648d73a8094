"""Build and run the native kernel's own checks: `fuzz` under the sanitizers, `timing` without.

    python tools/kernel_checks.py fuzz [inputs] [first]
    python tools/kernel_checks.py timing [measurements]

With clang, `libfuzzer [seconds]` searches for inputs by itself.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / "protocol/group/native"
PROGRAMS = ROOT / "tools/kernel"
SOURCES = [KERNEL / name for name in ("portable.c", "ifma.c", "scalar.c", "threads.c")]
# -O1 warns of variables that a loop over no elements would leave unset; no caller asks for none.
COMMON = [
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-warning-option",
    "-Wno-maybe-uninitialized",
    "-pthread",
    f"-I{KERNEL}",
]
SANITIZERS = [
    "-O1",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-DINLINE=static inline",
]


class NoCompilerError(RuntimeError):
    """There is no C compiler, or it cannot do what is asked for."""


def compiler() -> str:
    """Find the C compiler: $CC, or `cc`."""
    name = os.environ.get("CC", "cc")
    found = shutil.which(name)
    if found is None:
        raise NoCompilerError(f"no C compiler called {name!r}")
    return found


def sanitizers_work(folder: Path) -> bool:
    """Tell whether the compiler can build and run a program with AddressSanitizer and UndefinedBehaviorSanitizer."""
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    built = subprocess.run(
        [compiler(), *SANITIZERS, str(empty), "-o", str(folder / "empty")], capture_output=True, check=False
    )
    return built.returncode == 0 and subprocess.run([str(folder / "empty")], check=False).returncode == 0


def build(program: str, folder: Path, *flags: str, alone: bool = False) -> Path:
    """Compile tools/kernel/<program>.c, with the kernel unless it stands alone; NoCompilerError says why not."""
    target = folder / program
    sources = [PROGRAMS / f"{program}.c", *([] if alone else SOURCES)]
    done = subprocess.run(
        [compiler(), *COMMON, *flags, *map(str, sources), "-lm", "-o", str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NoCompilerError(done.stderr)
    return target


def main(words: list[str]) -> int:
    """Run the check named by the first word; the others go to its program."""
    if not words or words[0] not in {"fuzz", "timing", "libfuzzer"}:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory(prefix="kernel-") as temporary:
        folder = Path(temporary)
        try:
            if words[0] == "timing":
                command = [str(build("timing", folder, "-O2")), *words[1:]]
            elif words[0] == "libfuzzer":
                flags = ("-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-DLIBFUZZER")
                command = [
                    str(build("fuzz", folder, *flags)),
                    f"-max_total_time={words[1] if words[1:] else 60}",
                ]
            elif sanitizers_work(folder):
                command = [str(build("fuzz", folder, *SANITIZERS)), *words[1:]]
            else:
                print("SKIPPED: this compiler has no AddressSanitizer and UndefinedBehaviorSanitizer")
                return 0
        except NoCompilerError as error:
            if words[0] == "fuzz" and shutil.which(os.environ.get("CC", "cc")) is None:
                print(f"SKIPPED: {error}")
                return 0
            print(error, file=sys.stderr)
            return 1
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
