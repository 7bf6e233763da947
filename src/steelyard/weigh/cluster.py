"""A Ray cluster as the place where cells run. Ray is the engine: scheduling, workers and their deaths are its own."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Status
from steelyard.weigh.executors import Done, environment, too_slow
from steelyard.weigh.plan import Cell
from steelyard.weigh.worker import Job, Weight, Worker, confine

CLIENT_PORT = 10001
START_S = 300.0  # for the first worker to come up: a cluster may have to start a machine for it


class Actor:
    """A worker on the cluster."""

    def __init__(self, job: Job) -> None:
        confine(job)
        self.worker = Worker(job)

    def ready(self) -> str:
        """Load the benchmark; the fingerprint of this machine."""
        self.worker.prepare()
        return _machine()

    def run(self, case_id: str, contender: str, trial: int, output: str | None = None) -> Weight:
        return self.worker.run(case_id, contender, trial, output)


class Cluster:
    """A connection to Ray, which `close` ends. address: `ray` (started here), or `ray://host:port`.

    Nodes need the same Steelyard and the same files as this machine. Raises MissingError where Ray is not installed or
    nothing answers.
    """

    def __init__(self, address: str) -> None:
        # Ray reports its use to its makers and says hello on the terminal unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ModuleNotFoundError as error:
            raise MissingError("--on ray needs Ray, which is not installed.", "pip install 'steelyard[ray]'") from error
        logging.getLogger("ray").setLevel(logging.CRITICAL)  # after the import, which sets it
        self.ray = ray
        self.ours = not ray.is_initialized()
        if self.ours:
            _connect(ray, address)
        alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        if not alive:
            if self.ours:
                ray.shutdown()
            raise MissingError(f"{address}: the cluster has no CPU.", "Start a node that has one.")
        self.cpus = sum(int(node["Resources"]["CPU"]) for node in alive)
        largest = max(alive, key=lambda node: (node["Resources"]["CPU"], node["NodeID"]))
        self.node, self.node_cpus = largest["NodeID"], int(largest["Resources"]["CPU"])
        self.quiet = contextlib.redirect_stdout(_WithoutRay(sys.stdout))
        self.quiet.__enter__()

    def close(self) -> None:
        if self.ours:
            with contextlib.redirect_stdout(io.StringIO()):  # where it tells what it had held back
                self.ray.shutdown()
        self.quiet.__exit__(None, None, None)

    def machine(self) -> str:
        """The fingerprint (JSON) of the node that timings are taken on: the one with the most CPUs."""
        task = self.ray.remote(_machine).options(num_cpus=0, scheduling_strategy=self._there())
        try:
            return str(self.ray.get(task.remote(), timeout=START_S))
        except self.ray.exceptions.RayError as error:
            raise _no_worker(error) from error

    def run(self, job: Job, cells: Sequence[Cell], timeout_s: float) -> Generator[Done, None, None]:
        """Timings in their order on one worker that holds a whole node; everything else on a worker for each CPU.

        A cell that hangs is a `timeout` and one that takes its worker down is `failed`; each costs a worker, which is
        replaced. A cell's time counts from when its worker is up.
        """
        ray, exceptions = self.ray, self.ray.exceptions
        made = ray.remote(num_cpus=1, max_restarts=0)(Actor)
        if job.timing:
            made = made.options(num_cpus=self.node_cpus, scheduling_strategy=self._there())
        waiting = list(reversed(cells))
        actors: set[Any] = set()
        starting: dict[Any, Any] = {}
        running: dict[Any, tuple[Cell, Any, str, float]] = {}

        def start() -> None:
            actor = made.remote(job)
            actors.add(actor)
            starting[actor.ready.remote()] = actor

        def launch(actor: Any, machine: str) -> None:
            if waiting:
                cell = waiting.pop()
                reference = actor.run.remote(cell.case.id, cell.contender, cell.trial, cell.output)
                running[reference] = (cell, actor, machine, time.time())

        def lost(actor: Any) -> None:
            ray.kill(actor, no_restart=True)
            actors.discard(actor)
            if waiting:
                start()

        try:
            for _ in range(1 if job.timing else min(self.cpus, len(cells))):
                start()
            patience = time.monotonic() + START_S
            while waiting or running:
                ready, _ = ray.wait([*running, *starting], timeout=1.0)
                for reference in ready:
                    if reference in starting:
                        actor = starting.pop(reference)
                        try:
                            launch(actor, ray.get(reference))
                        except exceptions.RayError as error:
                            raise _cause(error) or _no_worker(error) from error
                        continue
                    cell, actor, machine, began = running.pop(reference)
                    try:
                        weight = replace(ray.get(reference), machine=machine)
                    except exceptions.RayTaskError as error:
                        raise _cause(error) or error from None
                    except exceptions.RayError as error:
                        why = Outcome(
                            {}, Status.FAILED, f"crashed: its worker on the cluster died ({type(error).__name__})"
                        )
                        weight = Weight(why, time.time() - began, began, machine)
                        lost(actor)
                    else:
                        launch(actor, machine)
                    yield cell, weight
                for reference, (cell, actor, machine, began) in list(running.items()):
                    if time.time() - began > timeout_s:
                        del running[reference]
                        lost(actor)
                        yield cell, Weight(too_slow(timeout_s), time.time() - began, began, machine)
                if running or not starting:
                    patience = time.monotonic() + START_S
                elif time.monotonic() > patience:
                    raise MissingError(
                        f"the cluster gave no worker within {START_S:g} s.",
                        "Is it in use by others? `ray status` says.",
                    )
        finally:
            for actor in actors:
                ray.kill(actor, no_restart=True)

    def _there(self) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node_id=self.node, soft=False)


class _WithoutRay(io.TextIOBase):
    """Standard output, which belongs to our tables and our JSON, without what Ray's own threads say of dead workers."""

    def __init__(self, out: Any) -> None:
        self.out = out

    def write(self, text: str) -> int:
        return len(text) if threading.current_thread().name.startswith("ray_") else int(self.out.write(text))

    def flush(self) -> None:
        self.out.flush()


def _connect(ray: Any, address: str) -> None:
    settings = {k: v for k, v in os.environ.items() if k.startswith("STEELYARD_")}
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": "ERROR"}
    if address == "ray":
        env = {**settings, **{k: environment()[k] for k in ("PYTHONPATH", "OMP_WAIT_POLICY")}}
        # `local`: a new one, not whatever cluster runs on this machine
        options |= {"address": "local", "include_dashboard": False, "runtime_env": {"env_vars": env}}
    else:
        host, _, port = address.removeprefix("ray://").rstrip("/").partition(":")
        if not address.startswith("ray://") or not host or not (port or "1").isdigit():
            raise InputError(f"--on is {address!r}.", "Write ray, or ray://host:port.")
        try:  # Ray itself would go on trying for half a minute
            socket.create_connection((host, int(port or CLIENT_PORT)), timeout=10).close()
        except OSError as error:
            cure = f"Start one there (`ray start --head --ray-client-server-port {port or CLIENT_PORT}`), or mend the address."
            raise MissingError(f"no Ray cluster answers at {address}: {error.strerror or error}.", cure) from error
        options |= {"address": f"ray://{host}:{port or CLIENT_PORT}", "runtime_env": {"env_vars": settings}}
    try:
        with warnings.catch_warnings(action="ignore"):
            ray.init(**options)
    except (ConnectionError, TimeoutError, RuntimeError, ValueError, ImportError) as error:
        cure = "A cluster that asks for a token wants RAY_AUTH_MODE=token here, and the token in ~/.ray/auth_token."
        raise MissingError(f"{address}: Ray does not start or answer: {_said(error).rstrip('.')}.", cure) from error


def _machine() -> str:
    from steelyard.probe import machine

    return machine().to_json()


def _no_worker(error: Exception) -> MissingError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if "Error" in line), lines[0] if lines else type(error).__name__)
    return MissingError(f"no worker starts on the cluster: {last}", "Every node needs the same steelyard, and Python.")


def _cause(error: Any) -> SteelyardError | None:
    """The error of ours that a worker raised."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, SteelyardError) else None


def _said(error: Exception) -> str:
    """The first lines of an error, as one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3])[:300] or type(error).__name__
