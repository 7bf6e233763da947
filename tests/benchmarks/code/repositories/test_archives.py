"""Archives of strangers and an index on this machine: real files, a real server."""

import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from datetime import date

import pytest

from steelyard.benchmarks.code.repositories import index, unpack
from steelyard.core.errors import InputError, MissingError


def tar_of(path, members):
    """members: (name, content); content None makes a link to /etc/passwd."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_the_one_folder_that_holds_everything_is_stripped_and_links_are_left_out(tmp_path):
    archive = tar_of(tmp_path / "a.tar.gz", [("p-1/x/y.py", b"1"), ("p-1/link", None), ("p-1/z", b"2")])
    into = unpack.unpack(archive, tmp_path / "out")
    assert sorted(p.relative_to(into).as_posix() for p in into.rglob("*") if p.is_file()) == ["x/y.py", "z"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil"])
def test_a_member_that_leaves_the_folder_stops_everything(tmp_path, name):
    archive = tar_of(tmp_path / "a.tar.gz", [("good", b""), (name, b"x")])
    with pytest.raises(InputError, match="leaves the folder"):
        unpack.unpack(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def test_zip_torn_and_too_large(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("p/m.py", "x = 1")
    assert (unpack.unpack(tmp_path / "a.zip", tmp_path / "zip") / "m.py").read_text() == "x = 1"
    (tmp_path / "torn.tar.gz").write_bytes(b"\x1f\x8b nothing")
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack.unpack(tmp_path / "torn.tar.gz", tmp_path / "torn")
    monkeypatch.setattr(unpack, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="more than"):
        unpack.unpack(tar_of(tmp_path / "b.tar.gz", [("a", b"x" * 11)]), tmp_path / "big")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A package index: put files into `files`, name -> (content, upload time)."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            part = self.path.rstrip("/").rpartition("/")[2]
            if part in files:
                body, kind = files[part][0], "application/octet-stream"
            elif listed := {n: f for n, f in files.items() if n.startswith(f"{part}-")}:
                entries = [
                    {"filename": n, "url": f"../files/{n}", "hashes": {"sha256": hashlib.sha256(f[0]).hexdigest()},
                     "size": len(f[0]), **({"upload-time": f[1]} if f[1] else {}), **(f[2] if len(f) > 2 else {})}
                    for n, f in listed.items()
                ]  # fmt: skip
                body, kind = json.dumps({"files": entries}).encode(), "application/vnd.pypi.simple.v1+json"
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{served.server_port}/simple")
        monkeypatch.setenv("STEELYARD_REPOSITORIES", str(tmp_path / "cache"))
        for cached in (index.address, index._listing):
            cached.cache_clear()
        yield files
        served.shutdown()
    for cached in (index.address, index._listing):
        cached.cache_clear()


def test_releases_by_day_of_upload_and_files_by_hash(server):
    server["tiny-1.0.tar.gz"] = (b"old", "2024-12-31T23:59:59.5Z")
    server["tiny-1.1.tar.gz"] = (b"new", "2025-01-01T00:00:00Z")
    server["tiny-1.2.tar.gz"] = (b"withdrawn", "2025-02-01T00:00:00Z", {"yanked": "bad"})
    server["tiny-1.1-py3-none-any.whl"] = (b"wheel", "2025-01-01T00:00:00Z")
    assert [r.version for r in index.releases("Tiny")] == ["1.0", "1.1"]
    (found,) = index.releases("tiny", since=date(2025, 1, 1))
    assert (found.version, found.uploaded, found.sha256) == (
        "1.1",
        date(2025, 1, 1),
        hashlib.sha256(b"new").hexdigest(),
    )
    assert index.fetch(found).read_bytes() == b"new"
    server["tiny-1.1.tar.gz"] = (b"swapped", "2025-01-01T00:00:00Z")
    assert index.fetch(found).read_bytes() == b"new", "kept by its hash"
    index.fetch(found).unlink()
    with pytest.raises(MissingError, match="sha256 differs"):
        index.fetch(found)


def test_an_index_says_what_it_lacks(server):
    with pytest.raises(InputError, match="no 'absent'"):
        index.releases("absent")
    server["mute-1.0.tar.gz"] = (b"", None)
    with pytest.raises(InputError, match="does not say when"):
        index.releases("mute")
