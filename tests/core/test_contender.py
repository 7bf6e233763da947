"""Options of a contender are its dataclass fields, checked one by one."""

import types
from dataclasses import dataclass
from typing import Literal

import pytest

from steelyard.core.contender import build, code_version, config_of, contender, source_hash
from steelyard.core.errors import InputError
from steelyard.core.spec import Spec


@contender("toy", interface="kernel", source="nowhere")
@dataclass(frozen=True)
class Toy:
    isa: Literal["scalar", "avx2"] = "scalar"
    keep: float = 0.5
    turns: int = 3
    fast_path: bool = False


def test_options_are_converted_and_kept():
    toy = build(Toy, {"keep": 1, "isa": "avx2", "fast-path": True}, "toy")
    assert toy == Toy("avx2", 1.0, 3, True)
    assert config_of(toy) == {"isa": "avx2", "keep": 1.0, "turns": 3, "fast_path": True}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"isa": "neon"}, "It may be 'scalar', 'avx2'"),
        ({"turns": 1.5}, "must be of type int"),
        ({"turns": True}, "must be of type int"),
        ({"kep": 0.1}, "Did you mean keep"),
    ],
)
def test_wrong_options_are_refused_with_a_cure(options, message):
    with pytest.raises(InputError) as error:
        build(Toy, options, "toy")
    assert message in str(error.value)


def test_code_version_follows_what_a_number_depends_on():
    base = code_version("softmax", "1", Spec("toy"), "abc")
    assert base == code_version("softmax", "1", Spec("toy"), "abc")
    assert len({base, code_version("softmax", "2", Spec("toy"), "abc"), code_version("softmax", "1", Spec("toy"), "x"),
                code_version("softmax", "1", Spec("toy", {"turns": 4}), "abc")}) == 4  # fmt: skip


def test_a_compiled_module_is_hashed_as_the_file_it_is_and_a_text_as_itself(tmp_path):
    module = types.ModuleType("built")
    module.__file__ = str(tmp_path / "built.so")
    hashes = []
    for content, text in ((b"one", "a"), (b"two", "a"), (b"two", "b"), (b"one", "a")):
        (tmp_path / "built.so").write_bytes(content)
        hashes.append(source_hash(module, text))
    assert len(set(hashes)) == 3
    assert hashes[0] == hashes[3], "the same bytes again are the same code"
