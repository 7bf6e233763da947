"""Prompts of both routes and all variants, against texts put together by hand from the official templates."""

import pytest

from steelyard.benchmarks.code.bigcodebench_lite_pro.benchmark import BigCodeBenchLitePro
from steelyard.benchmarks.code.humaneval.benchmark import HumanEval
from steelyard.benchmarks.code.humaneval_pro.benchmark import HumanEvalPro
from steelyard.benchmarks.code.mbpp.benchmark import Mbpp
from steelyard.benchmarks.code.mbpp_pro.benchmark import MbppPro
from steelyard.core.errors import InputError

SYSTEM = (
    "You are an exceptionally intelligent coding assistant that consistently delivers accurate and reliable responses "
    "to user instructions."
)
ASK = (
    "Write a solution of python file to the following problems, the solution of the second problem requires single or "
    "multiple calls to the first solution."
)
ADD_ONE = "# Write a function to add one to a number.\ndef add_one(n):"
ADD_ALL = (
    "# Given a list of numbers, write a function to add one to every number of the list.\ndef add_one_to_all(numbers):"
)
FIRST_TEST = "assert add_one_to_all([1, 2, 3]) == [2, 3, 4]"


def first(bench):
    return next(iter(bench.cases()))


def test_completion_prompt_ends_in_the_base_signature():
    [message] = MbppPro().prompt(first(MbppPro()), route="completion")
    assert message.role == "raw"
    fenced = f"```python\n{ADD_ONE}\n"
    assert message.content == f"{SYSTEM}\n@@ Instruction\n{ASK}\n{fenced}{ADD_ALL}\n```\n\n@@ Response\n{fenced}"


def test_chat_prompt_has_a_system_and_a_user_message_and_no_prefix():
    system, user = MbppPro().prompt(first(MbppPro()))
    assert (system.role, system.content) == ("system", SYSTEM)
    assert user.role == "user"
    assert user.content == f"\n@@ Instruction\n{ASK}\n```python\n{ADD_ONE}\n{ADD_ALL}\n```\n@@ Response\n"


def test_one_shot_means_one_visible_test():
    """Its place in test_code differs: HumanEval Pro's official text begins with an empty line."""
    user = MbppPro().prompt(first(MbppPro()), prompt="1shot")[1]
    assert user.content.endswith(f"{ADD_ALL}\n\n{FIRST_TEST}\n```\n@@ Response\n")
    user = HumanEvalPro().prompt(first(HumanEvalPro()), prompt="1shot")[1]
    assert user.content.endswith("\n\nassert double_all([1, 2, 3]) == [2, 4, 6]\n```\n@@ Response\n")


def test_thinking_step_comes_before_the_fence_and_the_released_chat_script_drops_it():
    case = first(MbppPro())
    [raw] = MbppPro().prompt(case, prompt="cot", route="completion")
    assert raw.content.endswith(f"@@ Response\nLet's think step by step.\n```python\n{ADD_ONE}\n")
    assert MbppPro().prompt(case, prompt="cot")[1].content.endswith("@@ Response\nLet's think step by step.\n")
    released = MbppPro(profile="published")
    assert released.prompt(case, prompt="cot") == released.prompt(case, prompt="0shot")


def test_bigcodebench_prompt_leaves_a_line_empty():
    bench = BigCodeBenchLitePro()
    assert bench.prompt(first(bench))[1].content.endswith("def most_common_words(texts, n):\n\n```\n@@ Response\n")
    with pytest.raises(InputError, match="prompt"):
        bench.prompt(first(bench), prompt="1shot")


def test_base_benchmarks():
    case = first(HumanEval())
    [raw] = HumanEval().prompt(case, route="completion")
    assert raw.content == case.payload.prompt
    chat = HumanEval().prompt(case)[1].content
    assert chat.startswith("\n@@ Instruction\nWrite a solution to the following problem:\n```python\ndef double(")
    [raw] = Mbpp().prompt(first(Mbpp()), route="completion")
    assert raw.content == '"""\nWrite a function to add one to a number.\nassert add_one(1) == 2\n"""\n'
    assert Mbpp().prompt(first(Mbpp()))[1].content == (
        "\n@@ Instruction\nWrite a function to add one to a number. Your code should satisfy the following assertion:\n"
        "```python\nassert add_one(1) == 2\n```\n@@ Response\n"
    )


def test_a_completion_continues_the_base_function_and_a_chat_answer_stands_alone():
    bench, case = MbppPro(), first(MbppPro())
    assert bench.program(case, "    return n\n```\nbye", route="completion") == f"{ADD_ONE}\n    return n\n"
    assert bench.program(case, "```python\npass\n```") == "\npass\n"


def test_visible_tests_are_what_the_prompt_shows():
    assert HumanEval().visible_tests(first(HumanEval())) == ["assert (double(3)) == (6)", "assert (double(-4)) == (-8)"]
    assert Mbpp().visible_tests(first(Mbpp())) == ["assert add_one(1) == 2"]
    assert MbppPro().visible_tests(first(MbppPro())) == []
    assert MbppPro().visible_tests(first(MbppPro()), prompt="1shot") == [FIRST_TEST]


@pytest.mark.parametrize("options", [{"route": "telepathy"}, {"prompt": "2shot"}])
def test_unknown_options_are_named(options):
    with pytest.raises(InputError) as error:
        MbppPro().prompt(first(MbppPro()), **options)
    assert next(iter(options.values())) in error.value.what
