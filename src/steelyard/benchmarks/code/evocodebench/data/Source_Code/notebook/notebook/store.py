"""Keeps notes in SQLite."""

import sqlite3

from notebook.markup import headings, slug


class Missing(KeyError):
    """There is no note of that name."""


class Store:
    def __init__(self, path=":memory:"):
        self.connection = sqlite3.connect(path)
        self.connection.execute("CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, body TEXT)")

    def put(self, body):
        """Keep a note under the slug of its first heading (of "untitled" where it has none) and return that name.

        A note of the same name is replaced.
        """
        titles = headings(body)
        name = slug(titles[0][1] if titles else "untitled")
        self.connection.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, body))
        return name

    def get(self, name):
        """Return the body of a note; Missing where there is none."""
        row = self.connection.execute("SELECT body FROM note WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise Missing(name)
        return row[0]

    def names(self, part=""):
        """Return the names of all notes whose body holds `part`, whatever its case, in the order of the alphabet."""
        query = "SELECT name FROM note WHERE instr(lower(body), lower(?)) > 0 ORDER BY name"
        rows = (
            self.connection.execute(query, (part,))
            if part
            else self.connection.execute("SELECT name FROM note ORDER BY name")
        )
        return [name for (name,) in rows]

    def rename(self, old, new):
        """Give a note another name; Missing where there is none, ValueError where the new name is taken."""
        body = self.get(old)
        if new in self.names():
            raise ValueError(f"{new} is taken")
        self.connection.execute("DELETE FROM note WHERE name = ?", (old,))
        self.connection.execute("INSERT INTO note VALUES (?, ?)", (new, body))
