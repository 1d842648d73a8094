"""Recompute every bound on limbs that the native kernel's comments state, with exact integers; fail if one does not hold.

Each check follows the code of field_portable.h or field_ifma.h step by step with the largest value of each limb. All operations are
sums and products of non-negative numbers, so the largest operands give the largest results; for a difference the subtrahend's
largest is compared with the bias.
"""

import sys

BITS = 51
MASK = 2**BITS - 1
P_LIMBS = [2**BITS - 19] + [MASK] * 4
FE_PORTABLE = 2**54 - 1
TIGHT_PORTABLE = 2**51 + 2**13 - 1
FE_IFMA = 2**51 + 2**16 - 1
PRODUCT_IFMA = 2**59 - 1

Limbs = list[int]


class BoundError(AssertionError):
    """A stated bound does not hold."""


def require(what: str, *, holds: bool) -> None:
    """Stop with the bound's name when it does not hold."""
    if not holds:
        raise BoundError(what)


def bias(multiple: int) -> Limbs:
    """Limbs of a multiple of p, not carried."""
    return [multiple * limb for limb in P_LIMBS]


def parallel_carry(limbs: Limbs) -> Limbs:
    """Bound what one parallel carry leaves: every limb's low bits full, and the largest carry from below."""
    carries = [limb >> BITS for limb in limbs]
    low = [min(limb, MASK) for limb in limbs]
    return [low[0] + 19 * carries[4]] + [low[i] + carries[i - 1] for i in range(1, 5)]


def portable_product(a: Limbs, b: Limbs) -> Limbs:
    """Follow fe_product and columns_carry of field_portable.h."""
    columns = [
        sum(a[i] * b[k - i] if i <= k else a[i] * 19 * b[k + 5 - i] for i in range(5)) for k in range(5)
    ]
    require("19 b fits a word", holds=19 * max(b) < 2**64)
    require("columns below 2^114.3", holds=max(columns) ** 10 < 2**1143)
    for k in range(1, 5):
        require("a column's carry fits a word", holds=columns[k - 1] >> BITS < 2**64)
        columns[k] += columns[k - 1] >> BITS
        require("a column fits two words", holds=columns[k] < 2**128)
    top = 19 * (columns[4] >> BITS)
    require("19 times the top carry below 2^63.7", holds=top**10 < 2**637)
    low = MASK + top
    require("the lowest limb fits a word", holds=low < 2**64)
    return [MASK, MASK + (low >> BITS), MASK, MASK, MASK]


def portable() -> None:
    """Check field_portable.h."""
    fe = [FE_PORTABLE] * 5
    tight = portable_product(fe, fe)
    require("a product is tight", holds=max(tight) <= TIGHT_PORTABLE)
    require("2 a and 19 a fit a word in the square", holds=19 * FE_PORTABLE < 2**64)
    three = [3 * limb for limb in tight]
    two = [2 * limb for limb in tight]
    require("wide_sum is an fe", holds=max(three) <= FE_PORTABLE)
    require(
        "wide_difference does not go below zero", holds=all(x <= y for x, y in zip(two, bias(4), strict=True))
    )
    difference = [x + y for x, y in zip(three, bias(4), strict=True)]
    require("wide_difference is an fe", holds=max(difference) <= FE_PORTABLE)
    # Whatever the operations above leave may be an operand of a carried sum or difference.
    loose = [max(x, y) for x, y in zip(difference, three, strict=True)]
    require(
        "fe_subtract does not go below zero", holds=all(x <= y for x, y in zip(loose, bias(8), strict=True))
    )
    largest = [x + y for x, y in zip(loose, bias(8), strict=True)]
    require("fe_subtract is tight", holds=max(parallel_carry(largest)) <= TIGHT_PORTABLE)
    canonical_start(fe, "portable")


def ifma_product(a: Limbs, b: Limbs) -> Limbs:
    """Follow fe_product of field_ifma.h: low and high halves of 52 bits by column, columns 5 to 9 folded."""
    require("operands have no bits above 52", holds=max(a + b) < 2**52)
    columns = [0] * 10
    for i in range(5):
        for j in range(5):
            product = a[i] * b[j]
            columns[i + j] += min(product, 2**52 - 1)
            columns[i + j + 1] += 2 * (product >> 52)
    folded = [columns[k] + 19 * columns[k + 5] for k in range(5)]
    require("columns below 2^59", holds=max(folded) <= PRODUCT_IFMA)
    return folded


def ifma_carry(columns: Limbs, what: str) -> Limbs:
    """Follow fe_carry of field_ifma.h; its result must be an fe."""
    require(f"{what}: columns below 2^62", holds=max(columns) < 2**62)
    require(f"{what}: the top carry fits 52 bits", holds=columns[4] >> BITS < 2**52)
    result = parallel_carry(columns)
    require(f"{what} is an fe", holds=max(result) <= FE_IFMA)
    return result


def ifma() -> None:
    """Check field_ifma.h."""
    fe = [FE_IFMA] * 5
    product = ifma_product(fe, fe)
    three, two = [3 * c for c in product], [2 * c for c in product]
    ifma_carry(product, "a product")
    ifma_carry(three, "wide_sum")
    for right, what in ((two, "wide_difference"), (fe, "fe_subtract")):
        require(
            f"{what} does not go below zero",
            holds=all(x <= y for x, y in zip(right, bias(1024), strict=True)),
        )
    ifma_carry([x + y for x, y in zip(three, bias(1024), strict=True)], "wide_difference")
    ifma_carry([x + y for x, y in zip(fe, bias(1024), strict=True)], "fe_subtract")
    ifma_carry([2 * limb for limb in fe], "fe_add")
    canonical_start(fe, "ifma")


def canonical_start(fe: Limbs, path: str) -> None:
    """Two carries leave less than 2 p, so that subtracting p once is enough."""
    limbs = parallel_carry(parallel_carry(fe))
    value = sum(limb << (BITS * place) for place, limb in enumerate(limbs))
    require(f"{path}: fe_canonical starts below 2 p", holds=value < 2 * (2**255 - 19))


def main() -> int:
    """Check both paths."""
    portable()
    ifma()
    print("every stated bound holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
