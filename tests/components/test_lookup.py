"""Each declaration has a function of its name, and each public function in their modules a declaration."""

import inspect
from importlib import import_module

import pytest

from lossrun.catalog import COMPONENTS
from lossrun.catalog.declaration import Component, Optimizer
from lossrun.catalog.homes import home
from lossrun.catalog.losses import FAMILIES
from lossrun.components.lookup import function_of

KINDS = ("loss", "optimizer", "model", "initializer", "schedule")
DECLARED = [component for kind in KINDS for component in COMPONENTS[kind]]
# Modules of functions by their names; torch's own optimizers lie in torch.
HOMES = sorted({home(c.kind, c.name) for c in (*DECLARED, *COMPONENTS["metric"])})


@pytest.mark.parametrize("declared", DECLARED, ids=lambda d: f"{d.kind}-{d.name}")
def test_every_declaration_has_a_function(declared: Component) -> None:
    found = function_of(declared.kind, declared.name)
    assert callable(found)
    of_torch = isinstance(declared, Optimizer) and declared.torch_class
    assert found.__module__.startswith("torch.optim" if of_torch else "lossrun.components")


@pytest.mark.parametrize("module", HOMES)
def test_every_public_function_has_a_declaration(module: str) -> None:
    found = import_module(module)
    public = {
        name
        for name, value in vars(found).items()
        if inspect.isfunction(value) and value.__module__ == found.__name__ and not name.startswith("_")
    }
    assert public <= {
        declared.name for declared in (*DECLARED, *COMPONENTS["metric"]) if home(declared.kind, declared.name) == module
    }


def test_a_loss_is_declared_in_the_module_of_its_function() -> None:
    for family, losses in FAMILIES.items():
        text = inspect.getsource(import_module(f"lossrun.catalog.losses.{family}"))
        assert all(f'name="{loss.name}"' in text for loss in losses)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_is_not_declared_is_a_key_error(kind: str) -> None:
    with pytest.raises(KeyError):
        function_of(kind, "inspect")
