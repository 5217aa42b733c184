"""The optimizers that a config may name.

They are all optimizers of `torch.optim` that need no closure and no sparse gradients, with torch's defaults. `maximize`
is left out, because it would climb the loss. So are `foreach`, `fused`, `capturable` and `differentiable`, which only
say how torch computes. If a parameter of torch is a pair of different numbers, it is two parameters here, each with its
own bounds (`etas`: etaminus and etaplus).

A `keras.` spelling sets the defaults of Keras 3. These differences remain, because torch computes by another rule:
- Keras subtracts the decay from the weights in every optimizer, as adamw does. torch's sgd, rmsprop, adagrad, adadelta
  and adamax add it to the gradient. If torch has `decoupled_weight_decay`, the spelling sets it.
- Keras' RMSprop and Adagrad add epsilon under the root, and Keras' Adam adds it before the averages are corrected;
  torch adds it after both. This matters if gradients are as small as epsilon, or as its root.
- The momentum of Keras' SGD and RMSprop accumulates updates, that of torch gradients. They differ if the learning rate
  changes between steps.
- Keras' Adafactor adds epsilon_1 to each squared gradient; torch keeps the mean squares above the square of epsilon_1.
  Keras measures the size of a matrix after its decay, torch before.
- Keras' Muon computes in float32, torch's in bfloat16. Keras trains convolutions with AdamW, and the output layer only
  if told to.
"""

from typing import Final

from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.optimizers.adaptive import ADAPTIVE
from lossrun.catalog.optimizers.by_matrix import BY_MATRIX
from lossrun.catalog.optimizers.gradient_descent import GRADIENT_DESCENT

OPTIMIZERS: Final[tuple[Optimizer, ...]] = (*GRADIENT_DESCENT, *ADAPTIVE, *BY_MATRIX)
