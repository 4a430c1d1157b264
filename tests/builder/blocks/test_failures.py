"""What ends an inference: the stage and the cause are told."""

from __future__ import annotations

import numpy as np
import pytest

from container.abi import Profile
from container.errors import TrapError
from runtime.application import Application
from tests.builder.blocks.cases import case, pipeline_of
from tests.builder.support import container_of


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("index", [2, -1, 2**40, -(2**63)])
def test_label_of_an_index_that_is_not_there(profile: Profile, index: int) -> None:
    each = case("label", np.array([0, 1]), labels=("no", "yes"))
    with Application(container_of(pipeline_of([each])), profile=profile) as application:
        with pytest.raises(TrapError, match=r"`block0`.*an index is outside of the list it points into"):
            application.run({"in0": np.array([1, index])})
        assert application.run({"in0": np.array([1, 0])})["out0"].tolist() == ["yes", "no"]


def test_the_reference_refuses_it_too() -> None:
    with pytest.raises(ValueError, match="outside of the list"):
        _ = case("label", np.array([2]), labels=("no", "yes")).reference
