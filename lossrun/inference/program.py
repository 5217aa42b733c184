"""A trained model as a program that needs only torch: from samples in original units to predictions."""

import io
import logging
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from lossrun.components.metrics import predictions
from lossrun.components.network import Network, before_activation
from lossrun.data import Data
from lossrun.errors import UsageError, ran_out_of_memory
from lossrun.steps.evaluate import OutputSpec
from lossrun.steps.replica import Replica

INPUTS, PREDICTIONS = "inputs", "predictions"


class PredictionModule(nn.Module):
    """A trained model that takes samples in original units and returns predictions.

    Inputs have shape (N, *input_shape) and the type `kind`. Predictions have shape (N, K): numbers in original units,
    in double precision, or probabilities of classes (outputs, if the loss has no probabilities). Dropout is off, and
    batch norm uses its running statistics. It computes on the CPU, and never in bfloat16.

    Args:
        wide: Whether float32 cannot distinguish the inputs before they are standardized, such as seconds since 1970.
    """

    def __init__(self, replica: Replica, data: Data, spec: OutputSpec, *, wide: bool) -> None:
        super().__init__()
        self.network = replica.network.cpu().eval().requires_grad_(False)
        self.spec = spec
        self.output = replica.output
        self.dtype = replica.weights[0].dtype
        self.pixels = data.train.inputs.dtype.kind == "u"
        self.kind = torch.uint8 if self.pixels else torch.float64 if wide else torch.float32
        # Bytes are scaled in single precision, other numbers in double, as in training.
        exact = torch.float32 if self.pixels else torch.float64
        for name, scaling in (("input", data.input_scaling), ("target", data.target_scaling)):
            kind = exact if name == "input" else torch.float64
            self.register_buffer(f"{name}_mean", torch.as_tensor(scaling.mean, dtype=kind))
            self.register_buffer(f"{name}_std", torch.as_tensor(scaling.std, dtype=kind))

    def forward(self, inputs: Tensor) -> Tensor:
        mean, std = self.get_buffer("input_mean"), self.get_buffer("input_std")
        preactivations = self._preactivations(((inputs.to(mean.dtype) - mean) / std).to(self.dtype))
        spec = self.spec
        values = predictions(preactivations, task=spec.task, output=spec.output, reads_as=spec.reads_as)
        if spec.task == "regression":
            return values.double() * self.get_buffer("target_std") + self.get_buffer("target_mean")
        return values

    def _preactivations(self, inputs: Tensor) -> Tensor:
        """Return pre-activations, as `Replica.forward` does: a user's model gives outputs only."""
        if isinstance(self.network, Network):
            return self.network.preactivations(inputs)
        return before_activation(self.network(inputs), self.output)

    def example(self, input_shape: tuple[int, ...]) -> Tensor:
        """Return two samples of the right shape and type."""
        return torch.zeros(2, *input_shape, dtype=self.kind)


def exported(program: PredictionModule, input_shape: tuple[int, ...], own: str) -> Any:
    """Return the program as recorded by `torch.export`, for any number of samples.

    Args:
        own: The name of a user's own model; "" for a model of lossrun.

    Raises:
        UsageError: For a user's model that cannot be recorded.
    """
    example = program.example(input_shape)
    samples = ({0: torch.export.Dim("samples", min=1)},)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(program, (example,), dynamic_shapes=samples)
    except Exception as error:
        # A user's model may do anything, and torch.export fails in many ways. lossrun's own models must not fail.
        if not own or ran_out_of_memory(error):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UsageError(
            f"the model {own} cannot be exported as a program: torch.export says {said}. What it computes must not "
            "depend on values or on the number of samples; --format safetensors exports only its weights"
        ) from error


def to_torch(recorded: Any) -> bytes:
    """Return the content of a file that `torch.export.load` reads."""
    buffer = io.BytesIO()
    torch.export.save(recorded, buffer)
    return buffer.getvalue()


def to_onnx(recorded: Any, name: str) -> bytes:
    """Return the model in ONNX, from `inputs` to `predictions`, for any number of samples.

    Raises UsageError if the packages are missing, or if an operation has no translation.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(f'ONNX is not installed ({error}); it comes with: pip install "lossrun[onnx]"') from error
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of missing packages that are not needed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = torch.onnx.export(
                recorded, dynamo=True, verbose=False, input_names=[INPUTS], output_names=[PREDICTIONS]
            )
    except torch.onnx.OnnxExporterError as error:
        if ran_out_of_memory(error):
            raise
        raise UsageError(
            f"the model {name} has no translation to ONNX: {type(error).__name__}; --format torch exports it as a "
            "program of torch's"
        ) from error
    finally:
        logger.setLevel(level)
    assert converted is not None
    return bytes(converted.model_proto.SerializeToString())
