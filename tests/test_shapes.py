"""That the tests check types, and the shapes that stand in them."""

from typing import Any

import jaxtyping
import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation

from assay.errors import size_text
from assay.tasks.scores import mean_score


def test_a_call_with_another_shape_is_caught() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match="values"):
        mean_score(np.zeros((2, 2)))


def test_a_call_with_another_type_is_caught_where_no_shapes_stand() -> None:
    other: Any = "12"
    with pytest.raises(BeartypeCallHintViolation, match="count"):
        size_text(other)
