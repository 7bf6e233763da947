"""steelyard run: weigh contenders on a benchmark, or a suite of them."""

from __future__ import annotations

import typer


def run(
    names: list[str] = typer.Argument(help="Benchmarks, name[option=value,...], or a suite such as quickstart."),
    with_: list[str] = typer.Option(
        None,
        "--with",
        "-w",
        help="Contenders: name[option=value,...], model+solver, file.py:name. Repeat or use commas.",
    ),
    data: str = typer.Option(None, "--data", help="Official data: a path, or hf:NAME. Default: our own small data."),
    where: str = typer.Option("", "--where", help='Only cases for which this holds, e.g. "bytes > llc_bytes".'),
    limit: int = typer.Option(None, "--limit", min=1, help="At most so many cases."),
    trials: int = typer.Option(None, "--trials", min=1, help="Repetitions of every cell."),
    time: str = typer.Option("", "--time", help="Start nothing new after so long: 90, 90s, 10m, 2h."),
    cell_timeout: str = typer.Option("300s", "--cell-timeout", help="Give up on one cell after so long."),
    memory: str = typer.Option("", "--memory", help="Memory that each worker process may add, e.g. 4GiB."),
    workers: int = typer.Option(None, "--workers", min=0, help="Processes; 0 runs in this one. Timings run alone."),
    on: str = typer.Option("", "--on", help="ray or ray://host:port: run the same plan on a cluster."),
    seed: int = typer.Option(0, "--seed", help="Seed of trial 0; trial t uses seed + t."),
    retry_failed: bool = typer.Option(False, "--retry-failed", help="Measure again what failed before."),
    isolation: str = typer.Option("bubblewrap", "--isolation", help="bubblewrap or none (runs programs unprotected)."),
    fail_on: str = typer.Option("", "--fail-on", help="Exit 1 when any cell ends so: failed, timeout (commas)."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="The results as JSON."),
) -> None:
    """Weigh contenders on a benchmark. What the pool has already is not measured again.

    Examples:

      steelyard run softmax

      steelyard run humaneval-pro --with smollm2 --with "smollm2+self-debug" --limit 10

      steelyard run softmax --with my_kernel.py:fast --with torch --where "bytes > llc_bytes"
    """
    from steelyard.report.running import run_and_print

    run_and_print(
        names,
        with_ or [],
        data=data,
        where=where,
        limit=limit,
        trials=trials,
        time=time,
        cell_timeout=cell_timeout,
        memory=memory,
        workers=workers,
        on=on,
        seed=seed,
        retry_failed=retry_failed,
        isolation=isolation,
        fail_on=fail_on,
        pool=pool,
        as_json=as_json,
    )
