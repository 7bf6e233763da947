"""The pool: the store of every measurement ever taken (append-only Parquet behind a journal, read with DuckDB)."""

from __future__ import annotations

from steelyard.pool.pool import Pool, default_path
from steelyard.pool.schema import ResumeKey, resume_key
from steelyard.pool.trouble import PoolWarning, Problem

__all__ = ["Pool", "PoolWarning", "Problem", "ResumeKey", "default_path", "resume_key"]
