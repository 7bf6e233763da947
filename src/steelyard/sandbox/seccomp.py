"""The system calls a jailed program may not make, as a classic BPF program built here.

The kernel runs the filter on `struct seccomp_data {int nr; u32 arch; u64 instruction_pointer; u64 args[6];}` at every system
call (Linux Documentation/userspace-api/seccomp_filter.rst). A list of what is refused, not of what is allowed: programs in any
language must run, so the namespaces, the lost capabilities and the limits carry the weight, and the filter takes away what
would reach around them: other processes' memory, mounts and namespaces, kernel interfaces with a history of holes, and memory
that neither the limits nor the end of the process account for (System V and POSIX queues, memfd).
"""

from __future__ import annotations

import errno
import platform
import struct

from ..core.errors import MissingError

# name: (x86_64, aarch64); None where the architecture has no such call
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "personality": (135, 92),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "fanotify_init": (300, 262),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
# The C library falls back to older calls (clone3) or does without (memfd) when the kernel says that it lacks these.
ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}
CLONE, SOCKET, IOCTL = (56, 220), (41, 198), (16, 29)
NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
FAMILIES = (
    1,
    2,
    10,
)  # AF_UNIX, AF_INET, AF_INET6: useless without a network, but harmless; not AF_VSOCK, AF_NETLINK, ...
TERMINAL = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX push input into a terminal
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NR, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24  # offsets of the low halves (both architectures are little-endian)


def machine() -> str:
    """The architecture the filter is built for. Raises MissingError where none is known."""
    name = platform.machine()
    if name not in _ARCHITECTURES:
        raise MissingError(
            f"no system call filter is known for {name}.",
            f"The sandbox knows {' and '.join(_ARCHITECTURES)}; run there, or pass --isolation none for code you trust.",
        )
    return name


def refused(name: str, arch: str) -> int | None:
    """The number of a refused call on `arch`, None where it has none."""
    return (REFUSED | ABSENT)[name][_ARCHITECTURES[arch][0]]


def program(arch: str) -> bytes:
    """The filter for `arch` ("x86_64" or "aarch64"): an array of `struct sock_filter`, 8 bytes an instruction."""
    column, audit = _ARCHITECTURES[arch]
    code: list[tuple[int, int, int, int]] = []  # operation, skip if true, skip if false, operand

    def emit(operation: int, operand: int, if_true: int = 0, if_false: int = 0) -> None:
        code.append((operation, if_true, if_false, operand))

    def refuse(error: int) -> None:
        emit(_RETURN, _ERRNO | error)

    emit(_LOAD, _ARCH)
    emit(_JUMP_EQUAL, audit, 1, 0)
    emit(_RETURN, _KILL)  # 32-bit calls have other numbers: never let them past this list
    emit(_LOAD, _NR)
    if arch == "x86_64":
        emit(_JUMP_AT_LEAST, 0x40000000, 0, 1)  # the x32 calls, likewise
        refuse(errno.ENOSYS)
    for table, error in ((REFUSED, errno.EPERM), (ABSENT, errno.ENOSYS)):
        calls = [numbers[column] for numbers in table.values()]
        numbers = [number for number in calls if number is not None]
        for index, number in enumerate(numbers):  # to the refusal behind the list; behind the last one, over it
            emit(_JUMP_EQUAL, number, len(numbers) - 1 - index, 0 if index < len(numbers) - 1 else 1)
        refuse(error)
    emit(_JUMP_EQUAL, CLONE[column], 0, 4)
    emit(_LOAD, _ARG0)
    emit(_JUMP_BITS, NEW_NAMESPACE, 0, 1)
    refuse(errno.EPERM)
    emit(_RETURN, _ALLOW)
    emit(_JUMP_EQUAL, SOCKET[column], 0, 3 + len(FAMILIES))
    emit(_LOAD, _ARG0)
    for index, family in enumerate(FAMILIES):
        emit(_JUMP_EQUAL, family, len(FAMILIES) - index, 0)
    refuse(errno.EAFNOSUPPORT)
    emit(_RETURN, _ALLOW)
    emit(_JUMP_EQUAL, IOCTL[column], 0, 4)
    emit(_LOAD, _ARG1)
    for index, request in enumerate(TERMINAL):
        emit(_JUMP_EQUAL, request, len(TERMINAL) - 1 - index, 0 if index < len(TERMINAL) - 1 else 1)
    refuse(errno.EPERM)
    emit(_RETURN, _ALLOW)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
