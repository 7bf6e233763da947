"""Sessions of our own for each of the twelve tasks: seeded, of a wanted length, every answer unique in its context."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable

from steelyard.benchmarks.serving.scbench.records import TASKS, Record, Turn
from steelyard.core.errors import InputError
from steelyard.lab import recall

SEED = 2412
THINGS = (
    "lantern", "ledger", "compass", "kettle", "violin", "ladder", "mirror", "basket", "hammer", "blanket", "telescope",
    "barrel", "candle", "anchor", "saddle", "trumpet", "helmet", "carpet", "bottle", "wagon",
)  # fmt: skip
PLACES = (
    "cellar", "attic", "stable", "chapel", "kitchen", "library", "garden", "harbour", "bakery", "mill", "tower", "barn",
    "orchard", "workshop", "market", "station", "school", "bridge", "forest", "quarry",
)  # fmt: skip
PEOPLE = (
    "Mira", "Anselm", "Odile", "Bruno", "Tamsin", "Rolf", "Ingrid", "Pavel", "Selma", "Otto", "Livia", "Casper", "Nadia",
    "Emil", "Greta", "Hugo", "Ilse", "Jonas", "Klara", "Leon",
)  # fmt: skip
NAMES_ZH = ("小明", "小红", "老王", "阿强", "丽丽", "大伟", "小芳", "老李", "阿珍", "小刚", "文文", "小梅")
THINGS_ZH = ("钥匙", "雨伞", "书包", "帽子", "手表", "花瓶", "字典", "铅笔", "篮球", "眼镜", "茶壶", "照片")
PLACES_ZH = ("厨房", "阳台", "书房", "车库", "院子", "客厅", "卧室", "地下室", "办公室", "图书馆", "火车站", "教室")
CLASSES = {
    "bird": ("heron", "wren", "falcon", "owl", "swift", "crane"), "metal": ("iron", "copper", "zinc", "tin", "nickel", "silver"),
    "fruit": ("plum", "quince", "fig", "cherry", "melon", "pear"), "tool": ("chisel", "plane", "rasp", "awl", "mallet", "vice"),
}  # fmt: skip


def generate(task: str, count: int, length: int, turns: int, language: str = "text") -> list[Record]:
    """`count` sessions of about `length` words. language: `text`, or `recall` for the words of the recall model.

    Raises InputError where a task does not exist or cannot be had at that length.
    """
    if language == "recall":
        return [_recall(task, i, length, turns) for i in range(count)]
    if task not in TASKS:
        raise InputError(f"scbench has no task {task!r}.", f"It has {', '.join(TASKS)}.")
    return [_checked(_MAKERS[task](_seeded(task, i), i, length, turns)) for i in range(count)]


def _seeded(task: str, index: int) -> random.Random:
    return random.Random(f"{SEED} {task} {index}")


def _recall(task: str, index: int, length: int, turns: int) -> Record:
    context, questions = recall.make(task.removeprefix("scbench_"), length, _seeded(task, index), turns)
    made = []
    for q in questions:
        answer = q.answer.removesuffix(" ;")
        made.append(Turn(q.input, answer.split() if task == "scbench_vt" else answer, task, depth=q.at))
    return Record(f"{task}/{index}", task, context, tuple(made))


def _checked(record: Record) -> Record:
    """A text that is to be copied stands in the context exactly once."""
    for turn in record.turns:
        kind = turn.task.removeprefix("scbench_")
        if kind in ("kv", "prefix_suffix", "passkey") and record.context.count(str(turn.answer)) != 1:
            raise InputError(f"{record.id}: the answer {turn.answer!r} is not unique in its context.")
    return record


def _depth(context: str, found: str) -> float:
    return context.index(found) / len(context)


def _pairs(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Keys and values of two words and a number, all different."""
    made: list[str] = []
    while len(made) < 2 * count:
        name = f"{rng.choice(THINGS)}-{rng.choice(PLACES)}-{rng.randint(10, 99)}"
        if name not in made:
            made.append(name)
    return list(zip(made[::2], made[1::2], strict=True))


def _kv(rng: random.Random, index: int, length: int, turns: int) -> Record:
    pairs = _pairs(rng, max(turns, length // 10))
    context = json.dumps(dict(pairs))
    asked = rng.sample(pairs, turns)
    made = [Turn(f'Key: "{k}"\nThe value is "', v, "scbench_kv", depth=_depth(context, v)) for k, v in asked]
    return Record(f"scbench_kv/{index}", "scbench_kv", context, tuple(made))


def _prefix_suffix(rng: random.Random, index: int, length: int, turns: int) -> Record:
    strings: dict[tuple[str, str], str] = {}
    while len(strings) < max(turns, length // 12):
        text = "".join(rng.choices(string.ascii_lowercase, k=16))
        if not any(text[:4] == p or text[-4:] == s for p, s in strings):
            strings[text[:4], text[-4:]] = text
    context = "\n".join(strings.values())
    made = [
        Turn(f"Prefix: {p}\nSuffix: {s}\nThe string with that prefix and that suffix is", strings[p, s],
             "scbench_prefix_suffix", depth=_depth(context, strings[p, s]))
        for p, s in rng.sample(list(strings), turns)
    ]  # fmt: skip
    return Record(f"scbench_prefix_suffix/{index}", "scbench_prefix_suffix", context, tuple(made))


def _vt(rng: random.Random, index: int, length: int, turns: int) -> Record:
    """Chains of two hops, their lines in order but mixed with those of the others, in noise."""
    count = max(turns, length // 40)
    values = rng.sample(range(10000, 99999), count)
    names: list[str] = []
    while len(names) < 3 * count:
        name = "".join(rng.choices(string.ascii_uppercase, k=5))
        if name not in names:
            names.append(name)
    chains = [(str(v), names[3 * i : 3 * i + 3]) for i, v in enumerate(values)]
    order = [i for i in range(count) for _ in range(3)]
    rng.shuffle(order)
    told, lines = [0] * count, []
    for i in order:
        value, links = chains[i]
        source = value if told[i] == 0 else f"VAR {links[told[i] - 1]}"
        lines.append(f"VAR {links[told[i]]} = {source}")
        told[i] += 1
        lines.append(f"{rng.choice(PEOPLE)} took the {rng.choice(THINGS)} to the {rng.choice(PLACES)}.")
    context = "\n".join(lines)
    made = [
        Turn(
            f"Which variables have the value {value}? They are", list(links), "scbench_vt", depth=_depth(context, value)
        )
        for value, links in rng.sample(chains, turns)
    ]
    return Record(f"scbench_vt/{index}", "scbench_vt", context, tuple(made))


_OPERATIONS = {
    "adds {n} to": "x + {n}", "multiplies by {n}": "x * {n}", "subtracts {n} from": "x - {n}",
    "takes modulo {n}": "x % {n}", "raises to the power {n}": "x ** {n}", "divides by {n}": "x // {n}",
}  # fmt: skip


def _functions(rng: random.Random, count: int) -> list[tuple[str, str, str]]:
    """(name, description, source) of small Python functions that differ in name and in what they do."""
    made: dict[str, tuple[str, str, str]] = {}
    while len(made) < count:
        name = f"{rng.choice(THINGS)}_{rng.choice(PLACES)}"
        (said, code), n, least = rng.choice(list(_OPERATIONS.items())), rng.randint(2, 99), rng.randint(3, 99)
        said, code = said.format(n=n), code.format(n=n)
        source = (
            f"def {name}(numbers):\n    kept = []\n    for x in numbers:\n        if x > {least}:\n"
            f"            kept.append({code})\n    return sorted(kept)"
        )
        made.setdefault(name, (name, f"It {said} every number above {least} and returns the results in order.", source))
    return list(made.values())


def _repoqa(rng: random.Random, index: int, length: int, turns: int) -> Record:
    functions = _functions(rng, max(turns, length // 40))
    context = "\n\n".join(source for _, _, source in functions)
    asked = rng.sample(functions, turns)
    made = [Turn(said, src, "scbench_repoqa", name, depth=_depth(context, src)) for name, said, src in asked]
    needles = tuple((name, source) for name, _, source in functions)
    return Record(f"scbench_repoqa/{index}", "scbench_repoqa", context, tuple(made), needles=needles)


def _story(rng: random.Random, length: int, turns: int) -> tuple[str, list[tuple[str, str, str]]]:
    """A text in which each person puts one thing in one place; (person, thing, place) of each."""
    combined = [(p, t) for p in PEOPLE for t in THINGS]
    facts = [(p, t, rng.choice(PLACES)) for p, t in rng.sample(combined, max(turns, min(300, length // 20)))]
    weather = ("It rained all morning.", "Nobody spoke of it again.", "The bells rang twice.", "The road was empty.")
    lines = [f"{p} put the {t} in the {place}. {rng.choice(weather)}" for p, t, place in facts]
    return " ".join(lines), facts


def _qa_eng(rng: random.Random, index: int, length: int, turns: int) -> Record:
    context, facts = _story(rng, length, turns)
    made = [
        Turn(f"Where did {p} put the {t}?", [place], "scbench_qa_eng", depth=_depth(context, f"{p} put the {t}"))
        for p, t, place in rng.sample(facts, turns)
    ]
    return Record(f"scbench_qa_eng/{index}", "scbench_qa_eng", context, tuple(made))


def _choice(rng: random.Random, index: int, length: int, turns: int) -> Record:
    context, facts = _story(rng, length, turns)
    made = []
    for p, t, place in rng.sample(facts, turns):
        options = rng.sample([x for x in PLACES if x != place], 3)
        options.insert(rng.randrange(4), place)
        at = _depth(context, f"{p} put the {t}")
        made.append(Turn(f"Where did {p} put the {t}?", place, "scbench_choice_eng", "", tuple(options), at))
    return Record(f"scbench_choice_eng/{index}", "scbench_choice_eng", context, tuple(made))


def _qa_chn(rng: random.Random, index: int, length: int, turns: int) -> Record:
    combined = rng.sample([(n, t) for n in NAMES_ZH for t in THINGS_ZH], max(turns, min(140, length // 12)))
    facts = [(n, t, rng.choice(PLACES_ZH)) for n, t in combined]
    context = "".join(f"{n}把{t}放在{place}了。" for n, t, place in facts)
    made = [
        Turn(f"{n}把{t}放在哪里了？", place, "scbench_qa_chn", depth=_depth(context, f"{n}把{t}"))
        for n, t, place in rng.sample(facts, turns)
    ]
    return Record(f"scbench_qa_chn/{index}", "scbench_qa_chn", context, tuple(made))


def _mf(rng: random.Random, index: int, length: int, turns: int) -> Record:
    numbers = [rng.randint(1, 99) for _ in range(max(9, length // 2) | 1)]
    ranked = sorted(numbers)
    different = sorted(set(numbers))
    asked = [
        ("The maximum number is", ranked[-1]), ("The median number is", ranked[len(ranked) // 2]),
        ("The minimum number is", ranked[0]), ("The second largest number is", different[-2]),
        ("The second smallest number is", different[1]),
    ]  # fmt: skip
    made = [Turn(text, answer, "scbench_mf") for text, answer in asked[:turns]]
    return Record(f"scbench_mf/{index}", "scbench_mf", ", ".join(map(str, numbers)), tuple(made))


def _many_shot(rng: random.Random, index: int, length: int, turns: int) -> Record:
    """Known words under labels of two nonsense words: only the shots tell which label means which class."""
    labels: list[str] = []
    while len(labels) < len(CLASSES):
        label = " ".join("".join(rng.choices("bdfgklmnprstv", k=1) + rng.choices("aeiou", k=1)) * 2 for _ in range(2))
        if label not in labels:
            labels.append(label)
    named = dict(zip(CLASSES, labels, strict=True))
    members = [(word, named[kind]) for kind, words in CLASSES.items() for word in words]
    asked = rng.sample(members, turns)
    shown = [m for m in members if m not in asked]
    shots = [rng.choice(shown) for _ in range(max(20, length // 6))]
    context = "\n".join(f"Item: {word}\nLabel: {label}" for word, label in shots)
    made = [Turn(f"Item: {word}\nLabel:", label, "scbench_many_shot") for word, label in asked]
    return Record(f"scbench_many_shot/{index}", "scbench_many_shot", context, tuple(made))


def _papers(rng: random.Random, length: int, turns: int) -> list[tuple[str, str, str]]:
    """(title, text, summary) of invented papers."""
    made: dict[str, tuple[str, str, str]] = {}
    while len(made) < max(turns, length // 60):
        thing, place, n = rng.choice(THINGS), rng.choice(PLACES), rng.randint(2, 98)
        title = f"The {thing} in the {place}"
        summary = f"We study the {thing} in the {place} and find that {n} of a hundred are lost within a year."
        text = (
            f"{title}. Little is known of how a {thing} fares in a {place}. {summary} Our {rng.choice(PEOPLE)} survey "
            f"covers {rng.randint(3, 40)} villages. Further work should weigh each {thing} before it is stored."
        )
        made.setdefault(title, (title, text, summary))
    return list(made.values())


def _summary(rng: random.Random, index: int, length: int, turns: int) -> Record:
    papers = _papers(rng, length, turns)
    context = "\n\n".join(text for _, text, _ in papers)
    made = [
        Turn(f'Summarise the paper "{title}" in one sentence.', said, "scbench_summary", depth=_depth(context, said))
        for title, _, said in rng.sample(papers, turns)
    ]
    return Record(f"scbench_summary/{index}", "scbench_summary", context, tuple(made))


def _summary_with_needles(rng: random.Random, index: int, length: int, turns: int) -> Record:
    papers = _papers(rng, length, turns)
    keys = dict(zip(rng.sample(PEOPLE, turns), rng.sample(range(10000, 99999), turns), strict=True))
    parts = [text for _, text, _ in papers]
    for person, key in keys.items():
        parts.insert(rng.randrange(len(parts) + 1), f"The pass key of {person} is {key}. Remember it.")
    context = "\n\n".join(parts)
    made = []
    for i, ((title, _, said), (person, key)) in enumerate(zip(rng.sample(papers, turns), keys.items(), strict=True)):
        if i % 2 == 0:
            text = f'Summarise the paper "{title}" in one sentence.'
            made.append(Turn(text, said, "scbench_summary", depth=_depth(context, said)))
        else:
            at = _depth(context, str(key))
            made.append(Turn(f"What is the pass key of {person}? It is", str(key), "scbench_passkey", depth=at))
    return Record(f"scbench_summary_with_needles/{index}", "scbench_summary_with_needles", context, tuple(made))


def _repoqa_and_kv(rng: random.Random, index: int, length: int, turns: int) -> Record:
    functions, pairs = _functions(rng, max(turns, length // 80)), _pairs(rng, max(turns, length // 20))
    context = "\n\n".join([*(source for _, _, source in functions), json.dumps(dict(pairs))])
    made = []
    for i, ((name, said, source), (k, v)) in enumerate(zip(functions, rng.sample(pairs, len(pairs)), strict=False)):
        if i < turns and i % 2 == 0:
            made.append(Turn(said, source, "scbench_repoqa", name, depth=_depth(context, source)))
        elif i < turns:
            made.append(Turn(f'Key: "{k}"\nThe value is "', v, "scbench_kv", depth=_depth(context, v)))
    needles = tuple((name, source) for name, _, source in functions)
    return Record(f"scbench_repoqa_and_kv/{index}", "scbench_repoqa_and_kv", context, tuple(made), needles=needles)


_MAKERS: dict[str, Callable[[random.Random, int, int, int], Record]] = {
    "scbench_kv": _kv, "scbench_prefix_suffix": _prefix_suffix, "scbench_vt": _vt, "scbench_repoqa": _repoqa,
    "scbench_qa_eng": _qa_eng, "scbench_qa_chn": _qa_chn, "scbench_choice_eng": _choice, "scbench_mf": _mf,
    "scbench_many_shot": _many_shot, "scbench_summary": _summary, "scbench_summary_with_needles": _summary_with_needles,
    "scbench_repoqa_and_kv": _repoqa_and_kv,
}  # fmt: skip
