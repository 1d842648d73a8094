"""Two lists that represent many: rates and sizes with which the compiler's bound for a pair holds over all pairs of a threshold's members.

Between lists i and j, two strangers agree with about sqrt(p_i p_j). Over all pairs of lists that are

    sum over i < j of n_i n_j sqrt(p_i p_j)  <=  p sum over i < j of n_i n_j     for the weighted mean p, roughly,

and exact where the rates are equal. So the keys are compiled for two lists with the pooled rates and with as many pairs as
all lists together, Q = sum n_i n_j; the shorter has at most S = sum min(n_i, n_j) records, of which the true leads are a share.
For two lists these are their own sizes. For more, the shorter is at most sqrt(Q), which understates the
true leads: keys become stricter, never looser.
"""

import itertools
import math
from collections.abc import Sequence

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.linkage.rates import RAREST, Rates, probability

Stated = tuple[Rates, int]
"""A list's rates and its number of records."""


def pooled_sizes(records: Sequence[int]) -> tuple[int, int]:
    """The sizes of two lists that represent all pairs of these lists; the longer first.

    Raises:
        SequenceError: fewer than two lists, or an empty one.
    """
    pairs = list(itertools.combinations(records, 2))
    if not pairs or min(records) < 1:
        raise SequenceError("pooling needs two lists or more, none of them empty")
    total = sum(one * other for one, other in pairs)
    shorter = max(1, min(math.isqrt(total), sum(min(pair) for pair in pairs)))
    return -(-total // shorter), shorter


def pooled_rates(stated: Sequence[Stated]) -> Rates:
    """The mean of all lists' rates, weighted by their records, rounded towards more chance agreement."""
    total = sum(records for _, records in stated)

    def presence(place: int) -> int:
        return sum(rates.presence[place] * records for rates, records in stated) // total

    def code(codes: Sequence[int]) -> int:
        weighted = zip(codes, stated, strict=True)
        return _code(sum(probability(each) * records for each, (_, records) in weighted), total)

    first = stated[0][0]
    return Rates(
        presence=tuple(presence(place) for place in range(len(first.presence))),
        alone=tuple(
            tuple(code([rates.alone[i][j] for rates, _ in stated]) for j in range(len(codes)))
            for i, codes in enumerate(first.alone)
        ),
        household=tuple(
            code([rates.household[place] for rates, _ in stated]) for place in range(len(first.household))
        ),
    )


def _code(weighted: int, total: int) -> int:
    """The code of the lowest probability that is not below weighted / total."""
    low, high = 0, RAREST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if probability(middle) * total >= weighted else (low, middle - 1)
    return low
