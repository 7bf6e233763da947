import pytest

from harbour import words


def test_initials():
    assert words.initials("anna van der Berg") == "A.D.B."
    assert words.initials("") == ""


def test_shorten():
    assert words.shorten("harbour", 7) == "harbour"
    assert words.shorten("harbours", 7) == "harb..."
    assert words.shorten("abc", 2) == "..."


def test_run_lengths():
    assert words.run_lengths("aabccc") == [["a", 2], ["b", 1], ["c", 3]]
    assert words.run_lengths([]) == []


def test_slug():
    assert words.slug("  Café & Über-Boot ") == "cafe-uber-boot"


def test_checksum():
    assert words.checksum(["abc"]) == "edeaaff3"
    assert words.checksum([]) == "e3b0c442"
    assert words.checksum(["a", "b"]) != words.checksum(["ab"])


def test_weekday():
    assert words.weekday("2024-02-29") == "Thursday"
    with pytest.raises(ValueError):
        words.weekday("2024-02-30")


def test_newest():
    assert words.newest(["1.9", "1.10", "1.10rc1", "latest"]) == "1.10"
    assert words.newest(["no"]) is None


def test_allowed():
    assert words.allowed(">=1.2,<2", ["1.1", "1.2", "1.9.3", "2.0"]) == ["1.2", "1.9.3"]


def test_extras_of():
    assert words.extras_of("web[tls, http]>=2; python_version > '3'") == ["http", "tls"]
