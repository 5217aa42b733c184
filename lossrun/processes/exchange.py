"""Connect the processes that train one run together, as `torchrun` starts them, and let them exit together.

The first process leads: it alone decides, writes and prints. The others follow (`leading.py`). A process that leaves
writes the reason into a store that all processes share, and then closes its connections. A process that waits for it
notices the closed connection and reads the store.

torch is imported inside the functions, because mistakes in a config are reported before torch is needed.
"""

import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lossrun.errors import (
    DataError,
    LockedError,
    LossrunError,
    LostProcessError,
    RunError,
    UsageError,
    ran_out_of_memory,
)
from lossrun.shell import command

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHECKED_EVERY: Final = 0.05  # seconds between reads of the store
# Seconds within which a process that leaves normally has given its reason.
LAST_WORDS: Final = 1.0
# Seconds that a follower waits for the leader to leave, once something is wrong.
PATIENCE: Final = 10.0
# How long one process may keep the others waiting: while the leader validates, the others wait.
LONGEST_WAIT: Final = timedelta(hours=2)


class LeaderLeftError(Exception):
    """Raised in a follower: the leader has left, with this exit code, and has printed its messages."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


@dataclass
class Processes:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: This one, from 0.
        count: How many there are.
        local_rank: The number of this process on its machine, which is also the number of its GPU.
        store: Texts by key, which all processes share.
    """

    rank: int
    count: int
    local_rank: int
    store: Any
    joined: bool = False

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @property
    def name(self) -> str:
        return f"process {self.rank} of {self.count}"

    def meet(self, device: "torch.device") -> None:
        """Wait until every process is ready to train, and connect them.

        Raises another process's error in the leader, and `LeaderLeftError` in a follower.
        """
        import torch.distributed as dist
        from torch.distributed.distributed_c10d import PrefixStore

        self.store.set(f"ready/{self.rank}", "")
        if self.leads:
            ready = [f"ready/{rank}" for rank in range(self.count)]
            while not self.store.check(ready):
                self._raise_problem()
                time.sleep(CHECKED_EVERY)
            self.store.set("go", "")
        else:
            while not self.store.check(["go"]):
                self._raise_left()
                time.sleep(CHECKED_EVERY)
            _ignore_signals()
        # The leader's commands go through gloo even if tensors are on GPUs, so that no step waits for a device.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        with self._exchange():
            dist.init_process_group(
                backend,
                store=PrefixStore("group", self.store),
                rank=self.rank,
                world_size=self.count,
                timeout=LONGEST_WAIT,
            )
            self.joined = True

    def add_up(self, tensor: "Tensor") -> None:
        """Replace a tensor by its sum over all processes."""
        import torch.distributed as dist

        with self._exchange():
            dist.all_reduce(tensor)

    def spread(self, values: "Tensor") -> "Tensor":
        """Return the largest difference between two processes in each of the values."""
        import torch
        import torch.distributed as dist

        both = torch.stack([values, -values])
        with self._exchange():
            dist.all_reduce(both, dist.ReduceOp.MAX)
        return both[0] + both[1]

    def tell(self, numbers: Sequence[float]) -> None:
        """Send numbers from the leader to the others, which `hear` the same number of them."""
        import torch

        self._broadcast(torch.tensor(numbers, dtype=torch.float64))

    def hear(self, count: int) -> list[float]:
        """Receive what the leader `tell`s. Raises LeaderLeftError once it has left."""
        import torch

        numbers = torch.zeros(count, dtype=torch.float64)
        self._broadcast(numbers)
        return numbers.tolist()

    def tell_bytes(self, data: bytes) -> None:
        import torch

        self.tell([len(data)])
        self._broadcast(torch.frombuffer(bytearray(data), dtype=torch.uint8))

    def hear_bytes(self) -> bytes:
        import torch

        (count,) = self.hear(1)
        data = torch.zeros(int(count), dtype=torch.uint8)
        self._broadcast(data)
        return data.numpy().tobytes()

    def _broadcast(self, tensor: "Tensor") -> None:
        import torch.distributed as dist

        with self._exchange():
            dist.broadcast(tensor, 0)

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Replace torch's error for a lost process by the reason that the process gave."""
        try:
            yield
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise
            self._lost(error)

    def _lost(self, error: RuntimeError) -> None:
        said, wait = (self._raise_problem, LAST_WORDS) if self.leads else (self._raise_left, PATIENCE)
        until = time.monotonic() + wait
        with suppress(*_store_is_gone()):
            while time.monotonic() < until:
                said()
                time.sleep(CHECKED_EVERY)
        others = f"one of the {self.count - 1} other processes" if self.count > 2 else "the other process"
        # Only the leader knows where to resume.
        further = "" if self.leads else f"; to continue from its newest checkpoint:\n  {command('resume', 'RUN')}"
        raise LostProcessError(
            f"{others if self.leads else 'the first process'} of this run ended without a message: it was killed, or "
            f"its machine was lost{further}"
        ) from error

    def _raise_problem(self) -> None:
        """Raise the error that another process has reported, if there is one."""
        for rank in range(1, self.count):
            if self.store.check([f"problem/{rank}"]):
                said = json.loads(self.store.get(f"problem/{rank}"))
                text = f"process {rank} of {self.count}: {said['text']}"
                if said["code"] == 1:
                    raise RuntimeError(text)
                kinds: dict[int, type[LossrunError]] = {2: UsageError, 3: DataError, 5: LockedError}
                raise kinds.get(said["code"], RunError)(text)

    def _raise_left(self) -> None:
        """Raise LeaderLeftError if it has."""
        if self.store.check(["left"]):
            raise LeaderLeftError(int(self.store.get("left")))

    def leave(self, code: int) -> None:
        """End as the leader: tell the others, and close all connections."""
        # torchrun ends the other processes as soon as one fails, possibly before the leader has printed everything.
        _ignore_signals()
        with suppress(*_store_is_gone()):
            self.store.set("left", str(code))
        self._close(failed=bool(code))
        if not _keeps_store():
            # The store ends with this process, so the others must read it before.
            until = time.monotonic() + LAST_WORDS
            with suppress(*_store_is_gone()):
                while self.store.add("gone", 0) < self.count - 1 and time.monotonic() < until:
                    time.sleep(CHECKED_EVERY)

    def report(self, error: BaseException) -> None:
        """End as a follower with a problem: say what is wrong, and wait for the leader to print it."""
        code = getattr(error, "exit_code", 1)
        text = "\n".join(error.problems) if isinstance(error, LossrunError) else traceback.format_exc()
        with suppress(*_store_is_gone()):
            self.store.set(f"problem/{self.rank}", json.dumps({"code": code, "text": text}))
        self._close(failed=True)
        until = time.monotonic() + PATIENCE
        with suppress(LeaderLeftError, *_store_is_gone()):
            while time.monotonic() < until:
                self._raise_left()
                time.sleep(CHECKED_EVERY)

    def exit_as_follower(self, code: int) -> None:
        """End as a follower, once the leader has left. `code`: the exit code."""
        with suppress(*_store_is_gone()):
            self.store.add("gone", 1)
        self._close(failed=bool(code))

    def reports_lost_leader(self) -> bool:
        """Return whether this follower has to report that the leader is lost."""
        try:
            return bool(self.store.add("told", 1) == 1)
        except _store_is_gone():  # the store was lost with the leader
            return True

    def _close(self, *, failed: bool) -> None:
        """Close the connections.

        After a failure, a GPU may wait for a sum that another process will never send. NCCL would wait for that, too.
        """
        import torch.distributed as dist

        if self.joined:
            self.joined = False
            if failed and dist.group.WORLD is not None:
                dist.group.WORLD.abort()  # only NCCL does anything here
            dist.destroy_process_group()


def _ignore_signals() -> None:
    """Ignore signals from now on, so that this process exits by itself and the launcher does not end it."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
            if hasattr(signal, name):
                signal.signal(signal.Signals[name], signal.SIG_IGN)


def _store_is_gone() -> tuple[type[Exception], ...]:
    """Return the errors that torch raises if the store cannot be reached."""
    from torch.distributed import DistNetworkError, DistStoreError

    return DistNetworkError, DistStoreError


def _keeps_store() -> bool:
    """Return whether the launcher keeps the store, so that it outlives every process."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
