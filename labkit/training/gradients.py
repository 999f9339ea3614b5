"""The loss of one batch and its gradient, in as many parts as the memory wants.

The one idea: each part is divided by the label counts of the whole batch, so parts add up to the gradient of the whole;
running out of memory then costs speed and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from labkit.errors import RunFailed
from labkit.training.examples import Examples
from labkit.training.loss import TERMS, loss_of_part
from labkit.training.memory import free_cache, is_out_of_memory
from labkit.training.recipe import Recipe


class Gradients:
    """Fills the gradients of `parameters`; `limit_atoms` is the largest part so far known to fit, None for no limit."""

    def __init__(
        self, examples: Examples, recipe: Recipe, parameters: list[torch.nn.Parameter], log: Callable[[str], None]
    ) -> None:
        self.examples, self.recipe, self.parameters, self.log = examples, recipe, parameters, log
        self.limit_atoms = recipe.max_batch_atoms

    def compute(
        self,
        indices: np.ndarray,
        own: np.ndarray,
        term_weights: dict[str, float],
        between: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """The share of `own` structures in the loss of the batch `indices`; its gradient is in the parameters.

        `between` is called before each part and may raise. Raises RunFailed for a structure that does not fit into the
        memory on its own.
        """
        counts = self.examples.count(indices)
        while True:
            for value in self.parameters:
                value.grad = None
            try:
                return self._accumulate(own, counts, term_weights, between)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                failure = error.with_traceback(None)  # the traceback would keep the tensors that did not fit
            self._halve(own, failure)

    def _accumulate(
        self, own: np.ndarray, counts: dict[str, int], term_weights: dict[str, float], between: Callable[[], None]
    ) -> Tensor:
        examples, recipe = self.examples, self.recipe
        wanted = [term for term in TERMS if term == "energy" or (term_weights[term] > 0 and counts[term])]
        total = torch.zeros((), dtype=examples.dtype, device=examples.potential.device)
        for part in examples.parts(own, self.limit_atoms):
            between()
            batch, targets = examples.batch(part)
            answer = examples.potential.evaluate(batch, wanted, create_graph=True)
            loss = loss_of_part(answer, targets, counts, term_weights, recipe.loss, recipe.huber_delta)
            # Naming the parameters leaves out the second derivatives with respect to the positions.
            loss.backward(inputs=self.parameters)
            total += loss.detach()
        return total

    def _halve(self, own: np.ndarray, error: Exception) -> None:
        examples = self.examples
        device, sizes = examples.potential.device, examples.sizes
        largest = max(int(sizes[part].sum()) for part in examples.parts(own, self.limit_atoms))
        alone = int(sizes[own].max())
        if largest <= alone:
            index = int(own[np.argmax(sizes[own])])
            raise RunFailed(
                f"{examples.names[index]} with {alone} atoms does not fit into the memory of {device} on its own "
                f"({error}). Leave it out, train a smaller model, or use a larger device."
            ) from error
        self.limit_atoms = max(alone, largest // 2)
        free_cache(device)
        self.log(
            f"{largest} atoms at once do not fit into the memory of {device}: from now on at most {self.limit_atoms} "
            "at once, in parts that give the same loss"
        )
