"""Processes that train one network together, as torchrun or Ray start them; one alone is a group too."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class Group:
    """This process among others.

    Attributes:
        rank: 0 writes files.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    def of_first(self, value: float) -> float:
        """Return what the first process has: clocks differ, and all must stop at the same step."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.broadcast(shared, src=0)
        return float(shared)


@contextmanager
def join_group() -> Iterator[Group]:
    """Join the processes that torchrun or Ray started, for as long as the context lasts; be alone if neither did."""
    if distributed.is_available() and distributed.is_initialized():
        # Ray has them meet, and parts them.
        yield Group(distributed.get_rank(), distributed.get_world_size())
    elif distributed.is_available() and distributed.is_torchelastic_launched():
        with_cuda = torch.cuda.is_available()
        if with_cuda:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if with_cuda else "gloo")
        try:
            yield Group(distributed.get_rank(), distributed.get_world_size())
        finally:
            distributed.destroy_process_group()
    else:
        yield Group()
