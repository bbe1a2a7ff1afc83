"""That the tests check the shapes that stand in types."""

import jaxtyping
import numpy as np
import pytest

from assay.tasks.scores import mean_score


def test_a_call_with_another_shape_is_caught() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match="values"):
        mean_score(np.zeros((2, 2)))
