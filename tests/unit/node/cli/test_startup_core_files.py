"""A crash of a process that holds keys leaves no copy of its memory behind."""

import subprocess
import sys

PREPARE = "import resource, os; most = resource.getrlimit(resource.RLIMIT_CORE)[1]; resource.setrlimit(resource.RLIMIT_CORE, (most, most)); "


def run(code, folder):
    return subprocess.run(
        [sys.executable, "-c", PREPARE + code], cwd=folder, check=False, capture_output=True, text=True
    )


def test_the_program_allows_itself_no_core_file(tmp_path):
    done = run(
        "import sys; from blindmatch.node.cli import main; sys.argv = ['blindmatch', '--version']\n"
        "try:\n    main()\nexcept SystemExit:\n    print('limit', resource.getrlimit(resource.RLIMIT_CORE)[0])",
        tmp_path,
    )
    assert done.stdout.splitlines()[-1] in {"limit 0", "limit 1"}


def test_a_crash_writes_none(tmp_path):
    done = run(
        "from blindmatch.node.cli.startup import no_core_files; no_core_files(); os.abort()",
        tmp_path,
    )
    assert done.returncode == -6
    assert list(tmp_path.iterdir()) == []
