"""A log in memory."""

import time
from functools import wraps

lines = []


def note(text):
    lines.append(text)


def last(count=1):
    return [line.strip() for line in lines[-count:]]


def timed(function):
    @wraps(function)
    def inner(*args):
        start = time.perf_counter()
        try:
            return function(*args)
        finally:
            note(f"{function.__name__}: {time.perf_counter() - start}")

    return inner
