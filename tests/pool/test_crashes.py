"""Kills, many writers, torn files, a full disk: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from steelyard.core.errors import MissingError
from steelyard.pool import Pool, PoolWarning, journal, parts, pool
from tests.pool.making import row

ROOT = Path(__file__).resolve().parents[2]


def start(place: Path, count: int, benchmark: str = "sums") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.pool.writer", str(place), str(count), benchmark]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)


def cells(store: Pool) -> Counter[tuple[str, str, str]]:
    return Counter(
        store.query('SELECT benchmark, "case", metric FROM measurements').to_pandas().itertuples(False, None)
    )


def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    rng = random.Random(7)
    place, count = tmp_path / "pool", 2000
    told: set[int] = set()
    for _ in range(20):
        process = start(place, count)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0.0, 0.03))
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        assert lines[-1:] != ["end"], "the run ended before it was killed: make it longer"
        told |= {int(line) for line in lines if line.isdigit()}
        found = cells(Pool(place, readonly=True))
        assert set(found.values()) <= {1}
        assert {("sums", f"case-{n}", m) for n in told for m in ("correct", "time")} <= set(found)
    assert told
    assert start(place, count).communicate()[0].endswith("end\n")
    found = cells(Pool(place, readonly=True))
    assert found == {("sums", f"case-{n}", m): 1 for n in range(count) for m in ("correct", "time")}
    assert not list((place / "_journal").glob("*.journal"))
    assert Pool(place).check() == []


def test_four_processes_write_at_once_while_one_compacts(tmp_path: Path) -> None:
    place, count = tmp_path / "pool", 800
    writers = [start(place, count, name) for name in ("a", "b", "c", "c2")]
    with Pool(place) as store:
        while any(writer.poll() is None for writer in writers):
            store.compact()
            assert set(cells(store).values()) <= {1}
    for writer in writers:
        assert writer.communicate()[0].endswith("end\n")
        assert writer.returncode == 0
    expected = {
        (b, f"case-{n}", m): 1 for b in ("a", "b", "c", "c2") for n in range(count) for m in ("correct", "time")
    }
    with Pool(place) as store:
        assert cells(store) == expected
        store.compact()
        assert cells(store) == expected
        assert store.info().parts == 4


def test_a_torn_part_is_reported_and_set_aside(tmp_path: Path) -> None:
    place = tmp_path / "pool"
    with Pool(place) as store:
        store.append([row(1)])
        store.flush()
        store.append([row(2)])
        store.append([row(3, benchmark="other")])
    torn = min(place.glob("benchmark=sums/*.parquet"))
    torn.write_bytes(torn.read_bytes()[:-20])
    with pytest.warns(PoolWarning, match=r"torn part.*left out"):
        assert len(cells(Pool(place, readonly=True))) == 2
    assert torn.exists()
    with Pool(place) as store:
        with pytest.warns(PoolWarning, match=r"torn part.*set aside as _torn/"):
            done = store.done("sums")
        assert {key.case for key in done} == {"case-2"}
        store.append([row(1)])
        assert len(cells(store)) == 3
        assert [problem.kind for problem in store.check()] == ["set aside"]
    assert not torn.exists()
    assert len(list((place / "_torn").iterdir())) == 1


def test_damage_inside_a_part_is_found_by_its_checksum(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as store:
        store.append([row(n, value=random.Random(n).random()) for n in range(3000)])
        store.flush()
        store.append([row(9999)])
        store.flush()
        whole = max((tmp_path / "pool").glob("benchmark=sums/*.parquet"), key=lambda path: path.stat().st_size)
        data = bytearray(whole.read_bytes())
        at = len(data) // 2
        data[at : at + 64] = bytes(64)
        whole.write_bytes(data)
        with pytest.warns(PoolWarning, match="torn part"):
            problems = store.check()
        assert {problem.kind for problem in problems} == {"torn part", "set aside"}
        assert cells(store) == {("sums", "case-9999", "correct"): 1}


def orphan(place: Path, name: str = "0001-dead") -> Path:
    """The journal of a writer that died after appending cases 1 and 2."""
    with Pool(place):
        pass
    segment = journal.Segment(place / "_journal")
    path = segment.path.rename(place / "_journal" / f"{name}.journal")
    from steelyard.pool.schema import plain_row

    segment.append([plain_row(row(1))])
    segment.append([plain_row(row(2))])
    segment.abandon()
    return path


def test_a_torn_last_line_is_dropped_and_reported(tmp_path: Path) -> None:
    path = orphan(tmp_path / "pool")
    with path.open("ab") as file:
        file.write(b'0badc0de [["sums","1","case-3"')
    with pytest.warns(PoolWarning, match="cut short"):
        store = Pool(tmp_path / "pool")
    assert {case for _, case, _ in cells(store)} == {"case-1", "case-2"}
    assert not path.exists()


def test_a_damaged_line_leaves_the_others_readable(tmp_path: Path) -> None:
    path = orphan(tmp_path / "pool")
    path.write_bytes(path.read_bytes().replace(b"case-1", b"case-7"))
    with pytest.warns(PoolWarning, match="1 damaged lines; a copy is in"):
        store = Pool(tmp_path / "pool")
    assert {case for _, case, _ in cells(store)} == {"case-2"}
    assert b"case-7" in (tmp_path / "pool" / "_torn" / path.name).read_bytes()


def test_a_crash_between_part_and_journal_removal_doubles_nothing(tmp_path: Path) -> None:
    place = tmp_path / "pool"
    path = orphan(place)
    kept = path.read_bytes()
    with Pool(place) as store:
        path.write_bytes(kept)  # as if the writer had died after the part was in place
        assert set(cells(store).values()) == {1}
        store.append([row(3)])
        store.flush()
        assert store.compact() == 1  # the part is merged away, its journal still there
        assert set(cells(store).values()) == {1}
    with Pool(place) as store:
        assert not path.exists()
        assert cells(store) == {("sums", f"case-{n}", "correct"): 1 for n in (1, 2, 3)}


def test_a_crash_within_compaction_doubles_nothing(tmp_path: Path) -> None:
    place = tmp_path / "pool"
    with Pool(place) as store:
        for n in range(3):
            store.append([row(n)])
            store.flush()
        before = {path: path.read_bytes() for path in place.glob("benchmark=sums/*.parquet")}
        assert store.compact() == 2
        for path, data in before.items():  # as if it had died before deleting what it merged
            path.write_bytes(data)
        assert cells(store) == {("sums", f"case-{n}", "correct"): 1 for n in range(3)}
        assert [problem.kind for problem in store.check()] == ["left over"] * 3
        assert store.compact() == 3
        assert store.check() == []


def test_compaction_sweeps_old_files_in_the_making_and_minds_no_vanished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Pool(tmp_path / "pool") as store:
        old, young = store.store.scratch / "old", store.store.scratch / "young"
        for path in (old, young):
            path.write_text("half a part")
        os.utime(old, (0, 0))
        listed = [old, young, store.store.scratch / "placed-meanwhile"]
        monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))
        store.compact()
    assert (old.exists(), young.exists()) == (False, True)


def test_of_nested_merged_parts_the_biggest_is_read() -> None:
    def part(name: str, *holds: str) -> parts.Part:
        return parts.Part(f"benchmark=b/{name}.parquet", 1, 1, "", frozenset(holds or [name]))

    small, big = part("merged-1", "part-1", "part-2"), part("merged-2", "part-1", "part-2", "part-3")
    single, lone = part("part-3"), part("part-4")
    assert parts.current([single, small, lone, big]) == ([big, lone], [single, small])


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    store = Pool(tmp_path / "pool")
    store.append([row(1)])
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, old[1]))
        with pytest.raises(MissingError, match="no space left while appending") as told:
            store.append([row(n) for n in range(2, 200)])
        assert "Free some space" in told.value.cure
        store.append([row(1000)])  # the half-written line was taken back, so what fits still goes in
        with pytest.raises(MissingError, match="no space left while sealing"):
            store.flush()
        assert {case for _, case, _ in cells(store)} == {"case-1", "case-1000"}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    store.append([row(1001)])
    store.close()
    assert cells(store) == {("sums", f"case-{n}", "correct"): 1 for n in (1, 1000, 1001)}
    assert store.check() == []


def test_ctrl_c_within_an_append_leaves_the_journal_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def interrupted(file: int, data: bytes) -> int:
        write(file, data)
        raise KeyboardInterrupt

    store = Pool(tmp_path / "pool")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.append([row(1)])
    store.append([row(2)])  # as somebody at a prompt does, with the same pool
    store.close()
    assert cells(store) == {("sums", "case-2", "correct"): 1}


def test_an_artifact_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Pool(tmp_path / "pool")
    before = sorted((tmp_path / "pool" / "_tmp").iterdir())
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, old[1]))
        with pytest.raises(MissingError, match="no space left while storing an artifact"):
            store.put_blob(random.Random(1).randbytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert sorted((tmp_path / "pool" / "_tmp").iterdir()) == before


def test_a_seal_that_fails_does_not_fail_the_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "SEAL_BYTES", 1)

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    store = Pool(tmp_path / "pool")
    with monkeypatch.context() as patch:
        patch.setattr(parts, "write", full)
        with pytest.warns(PoolWarning, match="not sealed"):
            assert store.append([row(1)]) == 1
    assert len(cells(store)) == 1
    store.append([row(2)])
    store.close()
    assert cells(store) == {("sums", f"case-{n}", "correct"): 1 for n in (1, 2)}


def test_a_pool_that_cannot_be_written_fails_at_open_and_is_still_read(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as store:
        store.append([row(1)])
    # A read-only bind mount needs privileges of its own; without them, and as root, chmod does not stop a writer.
    script = (
        "import sys; from steelyard.pool import Pool; from steelyard.core.errors import MissingError\n"
        "assert Pool(sys.argv[1], readonly=True).info().rows == 1\n"
        "try: Pool(sys.argv[1])\n"
        "except MissingError as error: assert 'not writable' in str(error) and '--pool' in error.cure, error; print('ok')\n"
    )
    where = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path} && "
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", where + 'exec "$@"', "sh"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        if os.geteuid() == 0:
            pytest.skip("neither a mount namespace nor an ordinary user: nothing here stops a writer")
        command = []
        for folder in (tmp_path / "pool", *(tmp_path / "pool").rglob("*")):
            folder.chmod(0o555 if folder.is_dir() else 0o444)
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(
        [*command, sys.executable, "-c", script, str(tmp_path / "pool")], capture_output=True, text=True, env=env
    )
    assert (ran.stdout, ran.returncode) == ("ok\n", 0), ran.stderr


def test_a_forked_child_writes_a_journal_of_its_own(tmp_path: Path) -> None:
    store = Pool(tmp_path / "pool")
    store.append([row(1)])
    child = os.fork()
    if child == 0:
        store.append([row(2)])
        os._exit(0)  # as a worker that is killed: it seals nothing
    os.waitpid(child, 0)
    store.append([row(3)])
    store.close()
    assert cells(Pool(tmp_path / "pool")) == {("sums", f"case-{n}", "correct"): 1 for n in (1, 2, 3)}
