"""Write protocol/group/native/constants.h from the definitions in RFC 9496 4.1: limbs nobody has to trust by eye.

Run without arguments to write the file, with --check to compare it.
"""

import sys
from pathlib import Path

FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
TARGET = Path(__file__).resolve().parents[1] / "protocol/group/native/constants.h"
RADIX = 51
LIMBS = 5


def root(square: int, *, negative: bool = False) -> int:
    """Find a square root modulo p (p = 5 mod 8); the one whose lowest bit says `negative`."""
    p = FIELD_PRIME
    candidate = pow(square, (p + 3) // 8, p)
    if candidate**2 % p != square % p:
        candidate = candidate * pow(2, (p - 1) // 4, p) % p
    if candidate**2 % p != square % p:
        raise ValueError("not a square")
    return candidate if candidate % 2 == negative else p - candidate


def constants() -> dict[str, tuple[str, int]]:
    """Name each field constant: its definition in words, and its value modulo p."""
    p = FIELD_PRIME
    d = -121665 * pow(121666, -1, p) % p
    return {
        "FIELD_ONE": ("1", 1),
        "FIELD_D": ("d = -121665/121666", d),
        "FIELD_2D": ("2 d", 2 * d % p),
        "FIELD_SQRT_M1": ("the non-negative square root of -1", root(-1)),
        # RFC 9496 gives this root in its negative form; every use but one takes an absolute value later.
        "FIELD_SQRT_AD_MINUS_ONE": (
            "the negative square root of a d - 1, a = -1",
            root(-d - 1, negative=True),
        ),
        "FIELD_INVSQRT_A_MINUS_D": ("the non-negative 1/sqrt(a - d)", root(pow(-1 - d, -1, p))),
        "FIELD_ONE_MINUS_D_SQ": ("1 - d^2", (1 - d * d) % p),
        "FIELD_D_MINUS_ONE_SQ": ("(d - 1)^2", (d - 1) ** 2 % p),
    }


def words(value: int, width: int, count: int) -> str:
    """Split a number into `count` little-endian limbs of `width` bits, as C."""
    limbs = [(value >> (width * place)) & ((1 << width) - 1) for place in range(count)]
    return ", ".join(f"0x{limb:x}u" for limb in limbs)


def header() -> str:
    """Compose the whole file."""
    lines = [
        "/* Constants of edwards25519 and ristretto255 (RFC 9496 4.1).",
        " * Written by tools/kernel_constants.py from their definitions; a test compares. Do not edit.",
        " */",
        "#ifndef BLINDMATCH_CONSTANTS_H",
        "#define BLINDMATCH_CONSTANTS_H",
        "",
        "#include <stdint.h>",
        "",
        "/* Field elements: five limbs of 51 bits, least significant first. */",
    ]
    for name, (meaning, value) in constants().items():
        lines += [
            f"/* {meaning} */",
            f"static const uint64_t {name}[5] = {{",
            f"    {words(value, RADIX, LIMBS)},",
            "};",
        ]
    order = GROUP_ORDER
    scalars = {
        "ORDER": ("l, the order of the group", order),
        "ORDER_R": ("R = 2^256 modulo l", 2**256 % order),
        "ORDER_R2": ("R^2 modulo l", 2**512 % order),
        "ORDER_MINUS_2": ("l - 2, the exponent that inverts", order - 2),
    }
    lines += ["", "/* Scalars: four words of 64 bits, least significant first. */"]
    for name, (meaning, value) in scalars.items():
        lines += [
            f"/* {meaning} */",
            f"static const uint64_t {name}[4] = {{",
            f"    {words(value, 64, 4)},",
            "};",
        ]
    inverse = -pow(order, -1, 2**64) % 2**64
    lines += [
        "/* -1/l modulo 2^64, for Montgomery's reduction */",
        f"#define ORDER_NEGATED_INVERSE 0x{inverse:x}u",
    ]
    return "\n".join([*lines, "", "#endif", ""])


def main() -> int:
    """Write or check the file."""
    if "--check" in sys.argv[1:]:
        return int(TARGET.read_text() != header())
    TARGET.write_text(header())
    return 0


if __name__ == "__main__":
    sys.exit(main())
