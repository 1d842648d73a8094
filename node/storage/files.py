"""Files of the data folder: written whole or not at all, readable by their owner only."""

import mmap
import os
import tempfile
from pathlib import Path

from blindmatch.protocol.errors import InputError


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content` completely or not at all: written to a temporary file, synced, then renamed.

    `content` must be public or sealed, because the temporary file may survive a crash.

    Raises:
        OSError: the folder cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_output(path: Path, text: str, *, mode: int = 0o600, new: bool = False) -> None:
    """Write a file that a person asked for, whole or not at all. A device or a pipe is written to, not replaced.

    Args:
        path: the file; an existing one is replaced.
        text: its content.
        mode: who may read it; by default this user only.
        new: refuse to replace an existing file.

    Raises:
        InputError: the file cannot be written, or exists although it must be new.
    """
    if new and path.exists():
        raise InputError(f"{path} exists already", hint="Choose another name. This file is not overwritten.")
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            write_atomically(path, text.encode(), mode)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def read_bounded(path: Path, most: int, what: str) -> bytes:
    """Read a file that a person named.

    Args:
        path: the file.
        most: the most bytes that it may have.
        what: what it should be, for the message about a longer one.

    Raises:
        InputError: the file cannot be read, or is longer.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise InputError(f"{path}: has more than {most} bytes: not {what}")
    return data


def reserve(descriptor: int, size: int) -> None:
    """Give a file its full size now: a mapped file with holes kills its process when the disk is full later."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def let_go(mapped: mmap.mmap) -> None:
    """Release a mapped file's pages from this process's memory; written data stays in the page cache or on the disk."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)  # of a shared mapping: nothing is lost
