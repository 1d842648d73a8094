"""Finds and loads libsodium without leaving a file behind. See docs/adr/0002-libsodium-through-rbcl.md.

The package rbcl carries libsodium as one hexadecimal literal in its module `_sodium`, and importing rbcl writes that
library to a temporary file that stays. So rbcl is never imported: the literal is cut out of the module's text and loaded from
memory. This is the only module of the protocol that touches the operating system.
"""

import binascii
import ctypes
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LITERAL = b"bytes.fromhex('"
_SYSTEM_NAMES = {
    "linux": ("libsodium.so.26", "libsodium.so.23", "libsodium.so"),
    "darwin": ("libsodium.dylib", "/opt/homebrew/lib/libsodium.dylib", "/usr/local/lib/libsodium.dylib"),
}


def load() -> ctypes.CDLL:
    """Load libsodium with ristretto255: rbcl's copy, else the system's.

    Raises:
        ImportError: there is none that works; the text says what was tried and what to do.
    """
    reasons: list[str] = []
    for name, attempt in (("rbcl", _bundled), ("the system", _system)):
        try:
            for library in attempt():
                _initialise(library)
                return library
        except (OSError, ValueError, AttributeError) as error:
            reasons.append(f"{name}: {error}")
    raise ImportError(f"libsodium did not load ({'; '.join(reasons)}); install rbcl or libsodium 1.0.18")


def bundled_image() -> bytes:
    """Cut the shared library out of rbcl's module, without importing rbcl.

    Raises:
        ValueError: rbcl is not installed, or does not look as expected.
    """
    # find_spec of a top-level package reads nothing of it but its place.
    spec = importlib.util.find_spec("rbcl")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("rbcl is not installed")
    text = (Path(next(iter(spec.submodule_search_locations))) / "_sodium.py").read_bytes()
    start = text.find(_LITERAL) + len(_LITERAL)
    end = text.find(b"'", start)
    if start < len(_LITERAL) or end < 0:
        raise ValueError("rbcl's module _sodium holds no library; is it a version below 2?")
    return binascii.unhexlify(text[start:end])


def _bundled() -> Iterator[ctypes.CDLL]:
    image = bundled_image()
    if hasattr(os, "memfd_create"):
        try:
            yield _from_memory(image)
        except OSError:
            pass  # no /proc, or a kernel that forbids memory files: the temporary file is left
        else:
            return
    yield _from_temporary_file(image)


def _from_memory(image: bytes) -> ctypes.CDLL:
    """Load from an anonymous file in memory (Linux).

    The descriptor stays open for the life of the process, closed on exec: the loader remembers a library by its path, and
    a reused number would hand ours to the next one who loads `/proc/self/fd/N`.
    """
    descriptor = os.memfd_create("libsodium", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(image)
        return ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    except OSError:
        os.close(descriptor)
        raise


def _from_temporary_file(image: bytes) -> ctypes.CDLL:
    """Load from a private temporary file, and unlink it straight after."""
    descriptor, name = tempfile.mkstemp(suffix=".so")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(image)
        return ctypes.CDLL(name)
    finally:
        Path(name).unlink()


def _system() -> Iterator[ctypes.CDLL]:
    # By name: ctypes.util.find_library would start ldconfig and compilers, with temporary files of their own.
    names = _SYSTEM_NAMES.get(sys.platform, ())
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        yield library
    raise OSError(f"none of {', '.join(names) or 'no known names'}")


def _initialise(library: ctypes.CDLL) -> None:
    """Start libsodium, which picks its code for this CPU; ristretto255 must be in it (1.0.18)."""
    if library.sodium_init() < 0:
        raise OSError("sodium_init failed")
    if not hasattr(library, "crypto_core_ristretto255_scalar_mul"):
        raise OSError("it has no ristretto255, which came with libsodium 1.0.18")
