"""What a stack answers at once is what each of its seeds would answer."""

import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.health.output_checks import OutputChecks
from lossrun.training.observing import stack_outputs
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import REGRESSION, Laboratory


def test_a_stack_answers_for_each_of_its_seeds(laboratory: Laboratory) -> None:
    """After each of three epochs, with a dead seed and one that has left: which of them give the same for all."""
    model = {"name": "mlp", "hidden": [8], "batch_norm": True, "dropout": 0.2}
    config = {**REGRESSION, "seeds": 4, "model": model}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        outputs = stack_outputs(session)
        assert list(outputs) == [0, 1, 2, 3]
        before: list[torch.Tensor] = []
        for last in (None, 3, None):
            session.begin_epoch()
            for start, stop in session.remaining_batches():
                session.step(start, stop, [0.01] * 4)
                session.position.step += 1
            with torch.no_grad():
                for weight in session.replicas[2].weights[-2:]:
                    weight.zero_()
            outputs[0].forget()
            found = []
            for place, replica in enumerate(session.replicas):
                if replica.frozen:
                    continue
                stack, alone = outputs[place], OutputChecks(replica, session.output_spec)
                together = OutputChecks(replica, session.output_spec, stack)
                assert together.outputs_are_constant() == alone.outputs_are_constant() == (place == 2)
                assert together.outputs_carry_information() == alone.outputs_carry_information()
                found.append(stack.of(replica).clone())
            assert not before or not torch.equal(before[1], found[1]), "the outputs are those of an earlier epoch"
            before = found
            if last is not None:
                session.replicas[last].stopped_epoch = session.position.epoch
            session.position.epoch += 1
        assert len(found) == 3
