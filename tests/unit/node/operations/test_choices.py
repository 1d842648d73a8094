"""The light enumerations have exactly the values of those that they repeat."""

import pytest

from blindmatch.node.agreements.patterns import Pattern
from blindmatch.node.evaluation import View
from blindmatch.node.imports.formats import Format
from blindmatch.node.operations.choices import (
    CollectionKind,
    EdgeDisclosure,
    EdgePattern,
    FileFormat,
    RightView,
)
from blindmatch.protocol.agreement import KINDS, Disclosure


@pytest.mark.parametrize(
    ("choice", "repeated"),
    [
        (CollectionKind, KINDS),
        (EdgeDisclosure, Disclosure),
        (EdgePattern, Pattern),
        (FileFormat, Format),
        (RightView, View),
    ],
)
def test_the_values_are_the_same(choice, repeated):
    assert [each.value for each in choice] == [str(each) for each in repeated]
