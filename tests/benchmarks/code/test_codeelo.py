"""CodeElo on made-up rounds: what a participant gets, and what bad input does."""

import json
import subprocess
import sys

import pytest

from steelyard.benchmarks.code.codeelo.benchmark import CodeElo
from steelyard.benchmarks.code.codeelo.made_up import made_up_round
from steelyard.benchmarks.code.codeelo.rounds import read_rounds
from steelyard.benchmarks.stats.contest_rating.benchmark import ContestRating
from steelyard.contenders.analysis.contest_estimate import ContestEstimate
from steelyard.contenders.analysis.participant import Participant
from steelyard.contenders.analysis.platform_update import PlatformUpdate
from steelyard.contenders.analysis.status import StatusTable
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Replay
from steelyard.core.words import Status

# four humans, repeated: only the shape of the standing matters here
LADDER = [[900, 0, 2000], [450, 0, 1500], [200, 0, 1200], [0, 0, 800]]


def write(folder, rounds, humans=(0, 500, 1000, 1500, 2000)):
    folder.mkdir(exist_ok=True)
    for record in rounds:
        (folder / f"contest_{record['contest_id']}.json").write_text(json.dumps(record))
    (folder / "sorted_ratings.json").write_text(json.dumps(list(humans)))
    return str(folder)


def ladder(contest=1, copies=60, **changes):
    rows = [[f"p{k}-{i}", *row, None] for k in range(4) for i, row in enumerate([LADDER[k]] * copies)]
    fields = ["participant", "points", "penalty", "old_rating", "delta"]
    return {"contest_id": contest, "fields": fields, "problems": {"A": 500, "B": 750}, "rows": rows} | changes


def only(bench, case, contender):
    cases = {c.id: c for c in bench.cases(bench.folder)}
    return bench.measure(contender, cases[case], 0)


@pytest.fixture
def bench(tmp_path):
    made = CodeElo()
    made.folder = write(tmp_path / "data", [ladder(1), ladder(2)])
    return made


def test_nothing_solved_is_rated_zero_and_everything_at_the_top(bench):
    assert only(bench, "1", Participant("none")).metrics["rating"] == 0
    best = only(bench, "1", Participant("two-easiest")).metrics
    assert best["rating"] == 2000 + 99
    assert best["score"] == 1250
    assert best["rank"] == 1


def test_rank_by_hand(bench):
    # 500 points stand behind the 60 who have 900; a fourth attempt makes it 350, behind 120
    assert only(bench, "1", Participant("easiest-only")).metrics["rank"] == 61
    assert only(bench, "1", Participant("easiest-only", attempt=4)).metrics["rank"] == 121


def test_published_ranks_count_from_zero(bench):
    old = CodeElo(profile="published")
    old.folder = bench.folder
    sound, released = (only(b, "1", Participant("easiest-only")).metrics for b in (bench, old))
    assert sound["rank"] - released["rank"] == 1
    assert released["rating"] - sound["rating"] == sound["optimism"] >= 0


def test_overall_is_the_mean_with_its_error(bench, tmp_path):
    file = tmp_path / "verdicts.json"
    file.write_text(json.dumps({"1A": ["AC"], "1B": ["AC"], "2A": ["WA"], "2Z": ["AC"], "77A": ["AC"]}))
    got = only(bench, "overall", StatusTable(str(file))).metrics
    assert got["mean_rating"] == 2099 / 2
    assert got["standard_error"] == pytest.approx(2099 / 2)  # sd of two = range / sqrt 2, over sqrt 2
    assert got["overall_percentile"] == 60  # 0, 500 and 1000 of five lie below
    assert got["ignored_problems"] == 2
    assert got["rounds"] == 2


def test_no_part_in_a_round_is_no_zero(bench, tmp_path):
    file = tmp_path / "verdicts.json"
    file.write_text(json.dumps({"1A": ["AC"]}))
    assert only(bench, "2", StatusTable(str(file))).status is Status.UNSUPPORTED
    assert only(bench, "overall", StatusTable(str(file))).metrics["rounds"] == 1
    file.write_text(json.dumps({"8A": ["AC"]}))
    assert "no average" in only(bench, "overall", StatusTable(str(file))).error


def test_replay_of_a_model_the_abstract_does_not_rate(bench):
    with pytest.raises(InputError, match="Known: o1-mini"):
        only(bench, "overall", Replay("o2-mini"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"1A": ["OK"]}', "problem 1A, attempt 1: verdict 'OK' is unknown"),
        ('{"1A": "AC"}', "problem 1A: the attempts are 'AC'"),
        ('{"A1": ["AC"]}', "'A1' names no problem"),
        ('{"1A": ["AC"], "1A": ["WA"]}', "1A stands twice"),
        ("[]", "no status table"),
        ("{", "verdicts.json"),
    ],
)
def test_bad_status_tables(bench, tmp_path, text, words):
    file = tmp_path / "verdicts.json"
    file.write_text(text)
    with pytest.raises(InputError, match="(?s)" + words):
        only(bench, "1", StatusTable(str(file)))


def test_a_status_table_that_is_not_there():
    with pytest.raises(MissingError, match="is not a file"):
        StatusTable("nowhere.json")


def test_small_rounds_are_skipped_with_a_reason_and_none_is_an_error(tmp_path):
    folder = write(tmp_path / "a", [ladder(1), ladder(2, copies=50)])
    found = read_rounds(folder, published=False)
    assert [r.contest.id for r in found.rated] == ["1"]
    assert found.notes == ["round 2 is skipped: 200 rated rows, more than 200 are needed"]
    alone = write(tmp_path / "b", [ladder(2, copies=50)])
    with pytest.raises(InputError, match=r"(?s)no rated round is left.*200 rated rows"):
        read_rounds(alone, published=False)


def test_rows_that_are_not_rated_humans(tmp_path):
    record = ladder(1)
    record["rows"] += [["guest", 100, 0, None, None], [["a", "b"], 100, 0, 1500, None], ["p0-0", 1, 0, 1500, None]]
    folder = write(tmp_path / "a", [record, ladder(2)])
    sound = read_rounds(folder, published=False)
    assert [r.contest.ratings.size for r in sound.rated] == [240, 240]
    assert [n.split(": ")[1] for n in sound.notes] == [
        "1 team rows left out",
        "1 unrated rows left out",
        "1 repeated rows left out",
    ]
    released = read_rounds(folder, published=True)
    assert [r.contest.id for r in released.rated] == ["2"]
    assert released.notes == ["round 1 is skipped: 243 rows in the standing, 240 rated"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fields": ["participant", "points", "penalty"]}, "field 'old_rating' is missing"),
        ({"rows": [["p", 1, 2]]}, "row 1: .* has too few fields"),
        ({"rows": 3}, "not a round"),
        ({"problems": {"A": -5}}, "problems must map"),
    ],
)
def test_bad_rounds(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        read_rounds(write(tmp_path / "a", [ladder(1, **change)]), published=False)


def test_a_folder_without_humans(tmp_path):
    (tmp_path / "contest_1.json").write_text(json.dumps(ladder(1)))
    with pytest.raises(MissingError, match=r"no sorted_ratings\.json"):
        read_rounds(str(tmp_path), published=False)


def test_made_up_rounds_keep_the_schema():
    for contest in (9001, 9002, 9003):
        record = made_up_round(contest)
        keys = [(-row[1], row[2]) for row in record["rows"]]
        assert keys == sorted(keys)
        assert len(record["rows"]) > 200
        assert made_up_round(contest) == record


def test_rules_on_careers_whose_truth_is_known():
    bench = ContestRating(copies=30)
    case = next(c for c in bench.cases(None) if c.id == "career-1400-25")
    update = bench.measure(PlatformUpdate(), case, 0).metrics
    estimate = bench.measure(ContestEstimate(), case, 0).metrics
    for got in (update, estimate):
        assert got["error"] ** 2 == pytest.approx(got["bias"] ** 2 + got["spread"] ** 2 * 29 / 30)
    assert update["error"] < abs(1500 - 1400) + 100, "a rule that learnt nothing would stay at its start"


def test_the_released_average_stops_and_the_mean_does_not():
    bench = ContestRating(copies=2)
    case = bench.cases(None)[0]
    stopped = bench.measure(ContestEstimate(average="released"), case, 0)
    assert stopped.metrics["finishes"] == 0
    assert "TypeError" in stopped.artifacts["log"]
    assert bench.measure(ContestEstimate(), case, 0).metrics["finishes"] == 1


def test_the_command_rates_a_file(tmp_path):
    folder = write(tmp_path / "data", [ladder(1), ladder(2)])
    file = tmp_path / "verdicts.json"
    file.write_text(json.dumps({"1A": ["AC"] * 8, "1B": ["AC"] * 8, "2A": ["WA"] * 8}))
    command = ["run", "codeelo", "--data", folder, "--with", f"status[file={file}]", "--pool", str(tmp_path / "pool")]
    done = subprocess.run([sys.executable, "-m", "steelyard", *command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [result] = json.loads(done.stdout)
    [row] = result["rows"]
    assert row["estimate"] == 2099 / 2
    [summary] = result["summary"]
    assert summary["rating"] == "1050", "1049.5, the mean of 2099 and 0"
    assert summary["error over rounds"] == "± 1050"
    assert summary["percentile of humans"].startswith("60.0 [")
