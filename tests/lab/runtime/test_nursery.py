"""Whatever a process does costs its own call only, and never hangs."""

import os
import time

import pytest

from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Status
from steelyard.lab.runtime.nursery import DiedError, call

DOINGS = "tests.lab.runtime.doings"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_each_call_has_a_process_of_its_own_with_its_arguments_and_cores():
    (first,) = call(f"{DOINGS}:tell", "x", 1)
    (second,) = call(f"{DOINGS}:tell", "x", 2)
    assert first[:3] == (0, 1, 1)
    assert first[-2:] == ("x", 1)
    assert len(first[3]) == 1
    assert first[4] != second[4]
    assert not alive(first[4])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_ranks_have_cores_of_their_own_and_meet():
    (a, b) = call(f"{DOINGS}:tell", ranks=2)
    assert (a[0], b[0]) == (0, 1)
    assert not set(a[3]) & set(b[3])
    assert call(f"{DOINGS}:meet", ranks=2) == [3.0, 3.0]


@pytest.mark.parametrize(
    ("doing", "args", "options", "status", "says"),
    [
        ("crash", (), {}, Status.FAILED, "SIGSEGV"),
        ("divide", (), {}, Status.FAILED, "ZeroDivisionError"),
        ("hang", (), {"timeout_s": 0.5}, Status.TIMEOUT, "no result within 0.5 s"),
        ("flood", (4 << 30,), {"memory": 256 << 20}, Status.FAILED, "out of memory"),
    ],
)
def test_what_goes_wrong_is_a_failure_with_its_reason(doing, args, options, status, says):
    with pytest.raises(DiedError) as died:
        call(f"{DOINGS}:{doing}", *args, **options)
    assert died.value.status is status
    assert says in str(died.value)
    assert call(f"{DOINGS}:tell")[0][0] == 0  # the next call works


def test_what_was_printed_before_the_end_is_kept():
    with pytest.raises(DiedError) as died:
        call(f"{DOINGS}:divide")
    assert "about to divide" in died.value.log
    assert "1 / 0" in died.value.log


def test_a_limit_on_memory_lets_through_what_fits():
    assert call(f"{DOINGS}:flood", 64 << 20, memory=512 << 20) == [16.0 * (1 << 20)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_where_one_rank_dies_the_other_is_ended_at_once(tmp_path):
    began = time.monotonic()
    with pytest.raises(DiedError, match=r"rank 1: .*SIGKILL") as died:
        call(f"{DOINGS}:one_dies", str(tmp_path / "pid"), ranks=2, timeout_s=60)
    assert died.value.status is Status.FAILED
    assert time.monotonic() - began < 30
    assert not any(alive(int((tmp_path / f"pid-{rank}").read_text())) for rank in (0, 1))


def test_errors_for_the_reader_arrive_as_they_are():
    with pytest.raises(InputError, match="this is wrong") as error:
        call(f"{DOINGS}:complain")
    assert error.value.cure == "Do that."


def test_more_cores_than_there_are_cannot_be_had():
    with pytest.raises(MissingError, match="cores are needed"):
        call(f"{DOINGS}:tell", ranks=4096)


def test_what_cannot_be_sent_is_said():
    with pytest.raises(InputError, match="cannot be sent"):
        call(f"{DOINGS}:tell", lambda: 0)
