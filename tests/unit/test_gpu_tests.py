"""What the tests of a GPU train can be trained: they find no GPU where the other tests run."""

import pytest
import torch

from tests.gpu import test_gpu


@pytest.mark.parametrize("name", test_gpu.TRAINED)
def test_a_method_trains_in_the_tests_of_a_gpu(name):
    (run,) = test_gpu.trained(name, torch.device("cpu"), runs=1, epochs=1)
    assert run.test_logits.isfinite().all()
