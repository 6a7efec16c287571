"""AdamW for one tensor; torch.optim.AdamW imports torch's compiler, which takes seconds."""

import torch
from torch import Tensor

FIRST, SECOND = 0.9, 0.999  # decay of the averages of gradients and of their squares


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW."""

    def __init__(self, parameter: Tensor, *, weight_decay: float = 0.01, epsilon: float = 1e-8):
        self._parameter = parameter
        self._weight_decay = weight_decay
        self._epsilon = epsilon
        self._mean = torch.zeros_like(parameter)
        self._square = torch.zeros_like(parameter)
        self._steps = 0

    @torch.no_grad()
    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """Take a step: change the parameter in place."""
        self._steps += 1
        self._mean.lerp_(gradient, 1 - FIRST)
        self._square.mul_(SECOND).addcmul_(gradient, gradient, value=1 - SECOND)
        root = (self._square / (1 - SECOND**self._steps)).sqrt_().add_(self._epsilon)
        self._parameter.mul_(1 - learning_rate * self._weight_decay)
        self._parameter.addcdiv_(self._mean, root, value=-learning_rate / (1 - FIRST**self._steps))
