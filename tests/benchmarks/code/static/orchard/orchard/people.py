"""Who buys."""

from abc import ABC, abstractmethod
from enum import Enum


class Colour(Enum):
    RED = "red"
    BLUE = "blue"

    def is_warm(self):
        return self is Colour.RED


class Person(ABC):
    def __init__(self, name):
        self.name = name

    @abstractmethod
    def greet(self): ...

    def shout(self):
        return self.greet().upper()


class Customer(Person):
    favourite = Colour.RED

    def greet(self):
        return f"{_GREETING}, {self.name}"

    def likes(self, colour):
        return colour is self.favourite or colour not in Colour

    def rename(self, name):
        old, self.name = self.name, name
        return old

    def shout(self):
        return super().shout() + "!"


_GREETING = "Hello"
