"""What the tests of the nursery let processes do."""

import os
import signal
import time

from steelyard.core.errors import InputError


def tell(place, *what):
    return place.rank, place.ranks, place.threads, sorted(os.sched_getaffinity(0)), os.getpid(), *what


def crash(place):
    os.kill(os.getpid(), signal.SIGSEGV)


def flood(place, size):
    import torch

    return float(torch.ones(size // 4).sum())


def hang(place):
    print("before the hang", flush=True)
    time.sleep(600)


def complain(place):
    raise InputError("this is wrong.", "Do that.")


def divide(place):
    print("about to divide", flush=True)
    return 1 / 0


def one_dies(place, file):
    """Rank 1 is killed; rank 0 would wait for ever."""
    with open(f"{file}-{place.rank}", "w") as out:
        out.write(str(os.getpid()))
    if place.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


def meet(place):
    import torch
    from torch import distributed

    from steelyard.lab.runtime.measuring import _together

    with _together(place):
        x = torch.tensor([place.rank + 1.0])
        distributed.all_reduce(x)
    return float(x)


def losses(place, runtime, work, count):
    from steelyard.lab.runtime.measuring import _together

    with _together(place):
        running = runtime.open(work, place)
        return [running.step() for _ in range(count)]
