"""How a session becomes token ids: prompt templates, chat turns, truncation in the middle."""

from __future__ import annotations

import re
from dataclasses import dataclass

from steelyard.benchmarks.serving.scbench.records import TASKS, Record, Turn
from steelyard.core.errors import InputError
from steelyard.lab import LabModel

MARK = "\N{LEFT WHITE TORTOISE SHELL BRACKET}question\N{RIGHT WHITE TORTOISE SHELL BRACKET}"
_INTRODUCTIONS = {
    "scbench_kv": "Extract the value of the given key from the JSON object below.",
    "scbench_repoqa": "Read the code below. Repeat the function that is described, as it stands, in a code block.",
    "scbench_repoqa_and_kv": "Read the code and the JSON object below. Repeat the function that is described in a code "
    "block, or give the value of the key.",
    "scbench_qa_eng": "Read the text below and answer the question as briefly as you can.",
    "scbench_qa_chn": "阅读以下文字，尽量简短地回答问题。",
    "scbench_choice_eng": "Read the text below and answer the question.",
}


@dataclass(frozen=True)
class Prompts:
    """first: ids of the context with its instruction (multi-request), without any question. questions: what follows, a
    turn each; in multi-turn mode the first prompt is first + questions[0]. answers: the ids of each reference.
    ends: what closes an answer before the next question. cut: tokens that were left out of the context; lost: whether a
    turn's answer went with them.
    """

    first: list[int]
    questions: list[list[int]]
    answers: list[list[int]]
    ends: list[int]
    cut: int
    lost: list[bool]


def prompts(lab: LabModel, record: Record, mode: str, room: int) -> Prompts:
    """The pieces of one session. room: tokens that context and first question may have together.

    A chat template is used where the tokenizer has one; the follow-ups of multi-turn mode are what it puts after the
    answer before. Raises InputError where not even the questions fit.
    """
    context, heads = record.context, [_asked(record, turn) for turn in record.turns]
    chat = bool(getattr(lab.tokenizer, "chat_template", None))
    intro = _INTRODUCTIONS.get(record.task, "") if chat else ""
    body = "\n\n".join(x for x in (intro, context) if x)
    if not chat:
        first, questions, ends = f"{body}\n\n", [f"{q} " for q in heads], getattr(lab.tokenizer, "ends", "\n\n")
    else:
        whole = _render(lab, [("user", f"{body}\n\n{MARK}")])
        first, after = whole.split(MARK)
        again = _render(lab, [("user", MARK), ("assistant", "ANSWER"), ("user", MARK)])
        ends, later = again.split("ANSWER")[1].split(MARK)
        questions = [f"{q}{after}" for q in heads]
        if mode == "multi-turn":
            questions = [questions[0], *(f"{q}{later}" for q in heads[1:])]
    asked = [lab.encode(q) for q in questions]
    answers = [lab.encode(reference(turn)) for turn in record.turns]
    ids, cut = _truncated(lab.encode(first), room - max(map(len, asked)), record)
    kept = lab.decode(ids) if cut else context
    lost = [bool(cut) and turn.depth >= 0 and reference(turn) not in kept for turn in record.turns]
    return Prompts(ids, asked, answers, lab.encode(ends), cut, lost)


def reference(turn: Turn) -> str:
    """The right answer as text."""
    answer = turn.answer
    if isinstance(answer, list):
        return " ".join(answer) if turn.task == "scbench_vt" else answer[0]
    if turn.task == "scbench_choice_eng":
        return f"{'ABCD'[turn.options.index(str(answer))]}. {answer}"
    return f"```\n{answer}\n```" if turn.task == "scbench_repoqa" else str(answer)


def _asked(record: Record, turn: Turn) -> str:
    if turn.options:
        lines = [f"{letter}. {text}" for letter, text in zip("ABCD", turn.options, strict=True)]
        return "\n".join([f"Question: {turn.input}", *lines, "The letter of the correct answer is"])
    if turn.task in ("scbench_qa_eng", "scbench_qa_chn"):
        return f"Question: {turn.input}\nAnswer:"
    if turn.task == "scbench_mf" and (found := re.search(r"The .+ is", turn.input)):
        return f"What is {found[0].removesuffix(' is').lower()}?\n{turn.input}"
    return turn.input


def _render(lab: LabModel, turns: list[tuple[str, str]]) -> str:
    messages = [{"role": role, "content": text} for role, text in turns]
    return str(lab.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _truncated(ids: list[int], room: int, record: Record) -> tuple[list[int], int]:
    """The first and the last half of what fits, as released."""
    if room < 2:
        raise InputError(
            f"{record.id}: its questions alone do not fit the model.", f"{record.task} needs a longer context window."
        )
    if len(ids) <= room:
        return ids, 0
    half = room // 2
    return ids[:half] + ids[-half:], len(ids) - 2 * half


def room_for(lab: LabModel, record: Record, most: int, mode: str) -> int:
    """Tokens of the first prompt, as released: the window less what all turns may add."""
    task, turns = TASKS[record.task], len(record.turns)
    added = most * turns if not task.second else (most + min(most, task.second_most)) * turns // 2
    return lab.context - added - (1000 if mode == "multi-request" and lab.context > 4000 else 0)
