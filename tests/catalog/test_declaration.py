from typing import Any, Literal

import pytest

from lossrun.catalog import COMPONENTS, find
from lossrun.catalog.datasets import DATASETS
from lossrun.catalog.declaration import TASKS, Component, Loss, Model, Optimizer, Schedule
from lossrun.catalog.losses import LOSSES, REDUCTION
from lossrun.catalog.losses.reductions import REDUCTIONS
from lossrun.catalog.metrics import METRICS, PRIMARY_METRICS
from lossrun.catalog.models import MODELS, convolved
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.catalog.parameter import KeyGroup, Nested
from lossrun.config.habits import HABITS
from lossrun.config.keys import KEYS

EVERY = [component for members in COMPONENTS.values() for component in members]


@pytest.mark.parametrize("component", EVERY, ids=lambda component: f"{component.kind} {component.name}")
def test_names_are_written_one_way(component: Component) -> None:
    assert component.name == component.name.lower()
    assert component.name.replace("_", "").isalnum()
    assert component.meaning
    spellings = [spelling for key in component.parameters for spelling in (key.name, *key.aliases)]
    assert len(spellings) == len(set(spellings))
    assert "name" not in spellings
    assert set(component.tasks) <= set(TASKS)
    assert component in COMPONENTS[component.kind]


def test_every_preset_of_layers_is_made_of_declared_layers() -> None:
    (layers,) = [key for model in MODELS for key in model.parameters if isinstance(key, Nested) and key.many]
    for preset in layers.presets.values():
        for layer in preset:
            found = find("layer", layer["name"])
            assert found is not None
            assert all(found.component.parameter(name) for name in layer if name != "name")


def test_every_habit_leads_to_a_key() -> None:
    for habit, meant in HABITS.items():
        top, _, rest = meant.partition(".")
        key = next(key for key in KEYS if key.name == top)
        if not rest:
            continue
        if isinstance(key, KeyGroup):
            assert rest in {p.name for p in key.parameters}, habit
        else:
            assert isinstance(key, Nested)
            known = {spelling for c in COMPONENTS[key.kind] for p in c.parameters for spelling in (p.name, *p.aliases)}
            assert rest in known | {"from_logits"}, habit


def test_losses_say_what_they_take_and_give() -> None:
    for loss in LOSSES:
        assert isinstance(loss, Loss)
        assert loss.accepts
        assert loss.units in ("", "targets", "targets squared", "per cent", "nats")
        assert loss.parameter("reduction") is REDUCTION
        # A loss with the parameter `inputs` accepts each form that `inputs` can name.
        inputs = loss.parameter("inputs")
        assert inputs is None or set(loss.accepts) == {"logits", "probabilities", "log_probabilities"}
    assert REDUCTION.type == Literal["mean", "sum", "half_sum", "sample_mean", "half_sample_mean"]
    assert REDUCTIONS == ("mean", "sum", "half_sum", "sample_mean", "half_sample_mean")


def test_every_task_has_losses_and_its_primary_metrics() -> None:
    assert set(PRIMARY_METRICS) == set(TASKS)
    for task, names in PRIMARY_METRICS.items():
        assert any(task in loss.tasks for loss in LOSSES)
        for name in names:
            assert any(component.name == name and task in component.tasks for component in (*METRICS, *LOSSES))


def test_losses_and_metrics_share_no_name() -> None:
    names = [component.name for component in (*METRICS, *LOSSES)]
    assert len(names) == len(set(names))


def test_optimizers_have_a_range_of_usual_rates() -> None:
    for optimizer in OPTIMIZERS:
        assert isinstance(optimizer, Optimizer)
        low, high = optimizer.usual_rates
        assert 0 < low < high


def test_every_schedule_can_warm_up() -> None:
    assert all(isinstance(s, Schedule) and s.parameter("warmup_epochs") for s in COMPONENTS["schedule"])


def test_datasets_state_their_task() -> None:
    for dataset in DATASETS:
        assert dataset.task is None or dataset.tasks == (dataset.task,)
        assert {"validation", "test", "split_seed", "standardize", "corrupt"} <= {p.name for p in dataset.parameters}
        if dataset.target_size and dataset.task == "multiclass":
            assert dataset.target_size > 2


def layers_of(name: str, parameters: dict[str, Any], shape: tuple[int, ...], outputs: int) -> int:
    (model,) = [model for model in MODELS if model.name == name]
    assert isinstance(model, Model)
    return sum(layer.parameters for layer in model.layers(parameters, shape, outputs))


def preset(name: str) -> list[Any]:
    return next(k.presets[name] for m in MODELS for k in m.parameters if isinstance(k, Nested) and k.many)


def filled(layers: list[Any]) -> list[Any]:
    """Layers with the defaults that validation writes into them."""
    defaults = {"conv": {"stride": 1}}
    return [defaults.get(layer["name"], {}) | layer for layer in layers]


@pytest.mark.parametrize(
    ("name", "parameters", "shape", "outputs", "count"),
    [
        ("linear", {}, (1, 28, 28), 10, 7_850),  # 784 * 10 + 10
        ("mlp", {"hidden": [300, 100], "batch_norm": False}, (1, 28, 28), 10, 266_610),  # LeCun 1998: 300-100 units
        ("mlp", {"hidden": [2], "batch_norm": True}, (3,), 1, 15),  # 3*2+2, 2*2, 2*1+1
        ("mlp", {"hidden": [], "batch_norm": False}, (3,), 2, 8),
        ("cnn", {"layers": filled(preset("lenet5")), "batch_norm": False}, (1, 28, 28), 10, 61_706),  # LeCun 1998
        ("cnn", {"layers": filled(preset("two_conv")), "batch_norm": False}, (1, 28, 28), 10, 3_274_634),  # DeepOBS
    ],
)
def test_parameter_counts_of_published_nets(
    name: str, parameters: dict[str, Any], shape: tuple[int, ...], outputs: int, count: int
) -> None:
    assert layers_of(name, parameters, shape, outputs) == count


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding", "expected"),
    [(28, 5, 1, "same", 28), (28, 5, 1, "valid", 24), (28, 5, 1, 2, 28), (7, 3, 2, "same", 4), (7, 3, 2, "valid", 3)],
)
def test_the_side_of_a_convolution_follows_from_its_formula(
    side: int, kernel: int, stride: int, padding: int | str, expected: int
) -> None:
    # floor((side + 2 padding - kernel) / stride) + 1; `same` gives ceil(side / stride).
    assert convolved(side, kernel, stride, padding) == expected
