"""Wrong programs that try to be called right: by the end marker, the checker, the tests, or what the tests use."""

from ast import literal_eval

import pytest

from steelyard.sandbox import Limits, Sandbox, Verdict

TESTS = "SECRET = 'what the answer is'\ndef g(): return {'what they': 1}, f(1) in {'what their', 2}\nassert f(1) == 2\nassert f(2) == 3, 'SECRET2'\n"
QUICK = Limits(wall_s=2.0)

# Everything Python lets a program reach: frames, the collector, modules, and what these lead to.
WALK = """
import gc, sys, types
def everything():
    seen, todo = set(), []
    def frames():
        frame = sys._getframe()
        while frame:
            yield frame
            frame = frame.f_back
    gc.unfreeze()
    todo += gc.get_objects()
    todo += list(frames()) + list(sys._current_frames().values()) + list(sys.modules.values())
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, types.FrameType):
            todo += [thing.f_locals, thing.f_globals, thing.f_builtins, thing.f_back, thing.f_code]
        if isinstance(thing, types.CodeType):
            todo += thing.co_consts
        if thing is not todo and thing is not seen:
            todo += gc.get_referents(thing)
def candidates_for_the_token():
    return [t for t in everything() if isinstance(t, (bytes, bytearray)) and len(t) == 32]
def f(x): return 0
"""

FORGERIES = {
    "write to every descriptor": "import os\nfor fd in range(256):\n    for text in (b'passed', b'ok', b'\\0' * 32, b'{\"last\": 1, \"kind\": \"passed\"}', b'{\"end\": \"passed\"}'):\n        try: os.write(fd, text)\n        except OSError: pass\nf = lambda x: 0",
    "write a report that nests too deep": "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'{\"a\":' + b'[' * 4000)\n    except OSError: pass\nf = lambda x: 0",
    "claim a fault of the runner": 'import os\nfor fd in range(3, 256):\n    try: os.write(fd, b\'{"runner": "x", "end": "runner", "kind": [], "last": {}}\')\n    except OSError: pass\nos._exit(0)',
    "leave in the middle of an assert": "import os\ndef f(x): os._exit(0)",
    "raise SystemExit in an assert": "def f(x): raise SystemExit(0)",
    "leave at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 0",
    "write every 32 bytes found to every descriptor": WALK
    + "import os\nfor token in candidates_for_the_token():\n    for fd in range(3, 256):\n        try: os.write(fd, token)\n        except OSError: pass\n",
    "the same, from inside an assert": WALK
    + "def f(x):\n    import os\n    for token in candidates_for_the_token():\n        for fd in range(3, 256):\n            try: os.write(fd, token)\n            except OSError: pass\n    return 0\n",
    "change the zygote found by gc": WALK
    + "import os\nfor thing in list(everything()):\n    if isinstance(thing, dict) and 'last_words' in thing:\n        thing['last_words'] = thing['tell'] = thing['describe'] = lambda *a: None\n    if isinstance(thing, dict) and 'FLUSH' in thing: thing.clear()\n",
    "call what gc finds": WALK
    + "import functools\nfor thing in list(everything()):\n    if type(thing) is functools.partial:\n        try: thing()\n        except Exception: pass\n",
    "take steps from map objects": WALK
    + "for thing in list(everything()):\n    if type(thing) in (map, type(iter([])), type(iter(()))):\n        try: list(zip(range(9), thing))\n        except Exception: pass\n",
    "replace the hook for exceptions": "import sys, os\nsys.unraisablehook = sys.excepthook = lambda *a: os._exit(0)\ndef f(x): return 0",
    "tamper with __main__": "import sys\nm = sys.modules['__main__']\nfor name in ('check', 'serve', 'watch', 'token', 'passed'): setattr(m, name, lambda *a: True)\nsys.modules.clear()\ndef f(x): return 0",
    "replace builtins": "import builtins\nfor name in ('AssertionError', 'exec', 'compile', 'all', 'any', 'abs', 'print', 'isinstance', 'BaseException'):\n    setattr(builtins, name, lambda *a, **k: True)\ndef f(x): return 0",
    "replace __builtins__ of the namespace": "__builtins__ = {}\ndef f(x): return 0",
    "an exception that is no exception": "class E(Exception):\n    def __str__(self): raise SystemExit(0)\n    __repr__ = __str__\ndef f(x): raise E",
    "a trace function that jumps over the assert": "import sys\ndef t(frame, event, arg):\n    frame.f_trace = t\n    if event == 'line' and '<tests>' in frame.f_code.co_filename: frame.f_lineno = 4\n    return t\ndef f(x):\n    try: sys.settrace(t); sys._getframe(1).f_trace = t\n    except Exception: pass\n    return 0",
    "a profile function": "import sys, os\ntry: sys.setprofile(lambda *a: os._exit(0))\nexcept Exception: pass\ndef f(x): return 0",
    "a thread that leaves": "import threading, os, time\nthreading.Thread(target=lambda: (time.sleep(0.05), os._exit(0))).start()\ndef f(x): time.sleep(0.2); return 0",
    "a fork that leaves": "import os\ndef f(x):\n    if os.fork(): os._exit(0)\n    return 0",
    "a signal handler that leaves": "import signal, os\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\ndef f(x):\n    signal.pause()",
    "close every descriptor": "import os\nos.closerange(0, 256)\ndef f(x): return 0",
    "stand between us and the pipe": "import os\nr, w = os.pipe()\nfor fd in range(3, 64):\n    if fd not in (r, w):\n        try: os.dup2(w, fd)\n        except OSError: pass\ndef f(x): return 0",
    "read its own memory": "import os\ndef f(x):\n    open('/proc/self/mem', 'rb')\n    return x + 1",
    "read the zygote's memory": "import os\ndef f(x):\n    open('/proc/%d/mem' % os.getppid(), 'rb')\n    open('/proc/1/mem', 'rb')\n    return x + 1",
    "edit the checker's files": "open('/run/steelyard/inmate.py', 'w').write('')\ndef f(x): return x + 1",
    "load native code from a file": "import ctypes, shutil\nshutil.copy(ctypes.util.find_library('c') and '/lib/x86_64-linux-gnu/libm.so.6', '/tmp/m.so')\nctypes.CDLL('/tmp/m.so')\ndef f(x): return x + 1",
}


@pytest.mark.parametrize("attack", FORGERIES.values(), ids=FORGERIES.keys())
def test_no_forgery_passes(sandbox: Sandbox, attack: str) -> None:
    outcome = sandbox.check(attack, TESTS, QUICK)
    assert outcome.verdict not in (Verdict.PASSED, Verdict.RUNNER_ERROR), outcome
    assert sandbox.check("def f(x): return x + 1", TESTS).passed


def test_the_token_and_the_tests_cannot_be_found_before_they_run(sandbox: Sandbox) -> None:
    """The walk finds what the program itself put there, so it does walk; of the tests and the token it finds nothing."""
    mine = "class Holder: pass\nHolder.deep = {'a': [('needle in a haystack',)], 'b': bytes(32)}\n"
    look = (
        "starts = tuple(''.join(parts) for parts in [('needle', ' in'), ('SEC', 'RET'), ('what', ' the')])\n"
        "print([t for t in everything() if isinstance(t, str) and t.startswith(starts)])\n"
    )
    for _ in range(20):  # whether the thread that forks or the one that waits runs first is chance
        outcome = sandbox.check(WALK + mine + look + "print(candidates_for_the_token())\n", TESTS, QUICK)
        assert outcome.verdict is Verdict.ASSERTION, outcome
        found, tokens = outcome.stdout.splitlines()
        assert sorted(literal_eval(found)) == ["SECRET", "needle in", "needle in a haystack", "what the"], outcome
        assert literal_eval(tokens) == [bytes(32)], outcome


def test_builtins_are_whole_again_for_the_tests(sandbox: Sandbox) -> None:
    replaced = "import builtins\nbuiltins.all = lambda x: True\nbuiltins.abs = lambda x: 0\ndef f(x): return -x\n"
    assert sandbox.check(replaced, "assert all(f(x) == x for x in [1])").verdict is Verdict.ASSERTION
    assert sandbox.check(replaced, "assert abs(f(1) - 1) < 1e-6").verdict is Verdict.ASSERTION


def test_what_cannot_be_prevented(sandbox: Sandbox) -> None:
    """Legal Python, and what the module says remains: an object that is equal to everything."""
    universal = "class Same:\n    def __eq__(self, other): return True\ndef f(x): return Same()"
    assert sandbox.check(universal, TESTS).passed
