"""Which part of an answer is the program: rules of the released scripts, on answers written by hand."""

from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code import extract


def test_completion_ends_at_the_first_fence():
    assert extract.before_fence("    return 1\n```\nIt works.\n```python\n") == "    return 1\n"
    assert extract.before_fence("    return 1\n") == "    return 1\n"


def test_chat_answer_is_between_the_first_python_fence_and_the_next_fence():
    answer = "Sure:\n```python\nx = 1\n```\nOr:\n```python\nx = 2\n```"
    assert extract.python_fence(answer) == "\nx = 1\n"
    assert extract.python_fence("x = 1") == "x = 1"


def test_official_rule_loses_a_program_in_a_bare_fence_and_the_sound_one_keeps_it():
    answer = "Here it is:\n```\nx = 1\n```\nDone."
    assert extract.python_fence(answer) == "Here it is:\n"
    assert extract.first_fence(answer) == "x = 1\n"
    assert extract.first_fence("```py\nx = 1\n```") == "x = 1\n"
    assert extract.first_fence("```Python\nx = 1") == "x = 1"


def test_both_rules_agree_where_python_is_said():
    answer = "```\nnot this\n```\n```python\nx = 1\n```"
    assert extract.first_fence(answer) == extract.python_fence(answer) == "\nx = 1\n"


def test_only_the_first_sanitising_rule_that_applies_is_used():
    assert extract.sanitise("a\n# Test\nb\nif __name__ == '__main__':\n") == "a\n# Test\nb\n"
    assert extract.sanitise("a\n# Example use\n# Test\nb") == "a\n# Example use\n"
    assert extract.sanitise("a\n# Example use\nb") == "a\n"
    assert extract.sanitise("a\n# Example:\nb") == "a\n# Example:\nb", "the released rule splits at '# Example '"
    assert extract.sanitise("a\n# Tests\nb") == "a\n"
    assert extract.sanitise("a") == "a"


@given(st.text())
def test_extraction_is_idempotent_and_only_cuts(text: str):
    for rule in (extract.before_fence, extract.python_fence, extract.first_fence, extract.sanitise):
        once = rule(text)
        assert once in text
        assert len(rule(once)) <= len(once)
    assert extract.before_fence(extract.before_fence(text)) == extract.before_fence(text)
