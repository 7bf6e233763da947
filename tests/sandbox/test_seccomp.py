"""The system call filter, run by an interpreter of its own for the seven instructions it uses, on both architectures."""

import errno
import re
import struct
from pathlib import Path

import pytest

from steelyard.sandbox import seccomp

ALLOW = 0x7FFF0000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h


def verdict(arch: str, number: int, *args: int, audit: int | None = None) -> int:
    """What the filter returns for a call, by the rules of classic BPF (Linux Documentation/networking/filter.rst)."""
    data = struct.pack("=iIQ6Q", number, audit or AUDIT[arch], 0, *(args + (0,) * 6)[:6])
    code = list(struct.iter_unpack("=HBBI", seccomp.program(arch)))
    accumulator = at = 0
    while True:
        operation, if_true, if_false, operand = code[at]
        at += 1
        if operation == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            accumulator = struct.unpack_from("=I", data, operand)[0]
        elif operation == 0x06:  # BPF_RET | BPF_K
            return int(operand)
        else:
            holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}[
                operation
            ]
            at += if_true if holds else if_false


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_what_is_refused_and_what_is_not(arch: str) -> None:
    for name in seccomp.REFUSED | seccomp.ABSENT:
        number = seccomp.refused(name, arch)
        expected = errno.ENOSYS if name in seccomp.ABSENT else errno.EPERM
        if number is not None:
            assert verdict(arch, number) == 0x50000 | expected, name
    read, write = {"x86_64": (0, 1), "aarch64": (63, 64)}[arch]
    assert verdict(arch, read) == verdict(arch, write) == ALLOW
    clone, socket, ioctl = {"x86_64": (56, 41, 16), "aarch64": (220, 198, 29)}[arch]
    assert verdict(arch, clone, 17) == ALLOW  # SIGCHLD: fork
    assert verdict(arch, clone, 0x003D0F00) == ALLOW  # what pthread_create asks for
    for namespace in (0x00020000, 0x10000000, 0x20000000, 0x40000000):  # NEWNS, NEWUSER, NEWPID, NEWNET
        assert verdict(arch, clone, namespace | 17) == 0x50000 | errno.EPERM
    for family, allowed in {1: True, 2: True, 10: True, 16: False, 17: False, 38: False, 40: False}.items():
        assert (verdict(arch, socket, family) == ALLOW) is allowed, family
    assert verdict(arch, ioctl, 0, 0x5401) == ALLOW  # TCGETS
    assert verdict(arch, ioctl, 0, 0x5412) == verdict(arch, ioctl, 0, 0x541C) == 0x50000 | errno.EPERM


def test_calls_of_other_architectures_end_the_program() -> None:
    assert verdict("x86_64", 1, audit=0x40000003) == 0x80000000  # i386, where call 1 is exit
    assert verdict("x86_64", 0x40000000 | 101) == 0x50000 | errno.ENOSYS  # x32


@pytest.mark.parametrize(
    ("column", "header"),
    [(0, "x86_64-linux-gnu/asm/unistd_64.h"), (1, "asm-generic/unistd.h")],
)
def test_the_numbers_are_the_kernels(column: int, header: str) -> None:
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip(f"{path} is not installed (linux-libc-dev)")
    numbers = {
        name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())
    }
    for name, both in (seccomp.REFUSED | seccomp.ABSENT).items():
        if name in numbers:
            assert both[column] == numbers[name], name
    assert len(numbers.keys() & (seccomp.REFUSED | seccomp.ABSENT)) > 50
