"""Finds and loads libsodium without leaving files on disk. See docs/adr/0002-libsodium-through-rbcl.md.

The package rbcl carries libsodium as one hexadecimal literal in its module `_sodium`, and importing rbcl writes that
library to a temporary file that is never deleted. So rbcl is not imported: the literal is extracted from the module's text and
loaded from memory. This is the only module of the protocol that touches the operating system.
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
        ImportError: none works; the message states what was tried and what to do.
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
    """Extract the shared library from rbcl's module, without importing rbcl.

    Raises:
        ValueError: rbcl is not installed, or has an unexpected form.
    """
    # find_spec of a top-level package only locates it, without reading it.
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
            pass  # no /proc, or a kernel that forbids memory files: use the temporary file
        else:
            return
    yield _from_temporary_file(image)


def _from_memory(image: bytes) -> ctypes.CDLL:
    """Load from an anonymous file in memory (Linux).

    The descriptor stays open for the lifetime of the process, and is closed on exec. The loader identifies a library by its path:
    if the number were reused, a later load of `/proc/self/fd/N` would return this library.
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
    """Load from a private temporary file, and unlink the file immediately."""
    descriptor, name = tempfile.mkstemp(suffix=".so")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(image)
        return ctypes.CDLL(name)
    finally:
        Path(name).unlink()


def _system() -> Iterator[ctypes.CDLL]:
    # By name: ctypes.util.find_library starts ldconfig and compilers, which create temporary files.
    names = _SYSTEM_NAMES.get(sys.platform, ())
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        yield library
    raise OSError(f"none of {', '.join(names) or 'no known names'}")


def _initialise(library: ctypes.CDLL) -> None:
    """Initialise libsodium, which selects its code for this CPU; it must include ristretto255 (version 1.0.18)."""
    if library.sodium_init() < 0:
        raise OSError("sodium_init failed")
    if not hasattr(library, "crypto_core_ristretto255_scalar_mul"):
        raise OSError("it has no ristretto255, which libsodium includes since version 1.0.18")
