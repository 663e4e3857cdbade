"""Only ordinary files of a stated size are opened: nothing else may block or fill the memory."""

import os
import socket

import pytest

from equipoise.errors import DataError, UsageError
from equipoise.files import check_readable, read_bytes


def test_an_ordinary_file_is_read_also_through_a_link(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"abc")
    (tmp_path / "link.txt").symlink_to("a.txt")
    assert check_readable(tmp_path / "link.txt").st_size == 3
    assert read_bytes(tmp_path / "link.txt", at_most=3) == b"abc"
    with pytest.raises(UsageError, match=r"a\.txt: found 3 bytes, expected 2 at most"):
        read_bytes(tmp_path / "a.txt", at_most=2, error=UsageError)


def test_a_file_that_does_not_say_its_size_is_read_up_to_the_limit():
    assert os.stat("/proc/self/environ").st_size == 0
    with pytest.raises(DataError, match="expected 1 at most"):
        read_bytes("/proc/self/environ", at_most=1)


def test_what_is_no_ordinary_file_is_refused_by_name_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path, found in {
            tmp_path / "pipe": "found a pipe",
            tmp_path / "socket": "found a socket",
            tmp_path / "loop": "a symbolic link that leads back to itself",
            tmp_path: "found a folder",
            "/dev/zero": "found a device",
            tmp_path / "none": "No such file",
            tmp_path / "file/inside": "Not a directory",
            tmp_path / ("x" * 300): "File name too long",
            "a\0b": "found characters that no path can have",
            "a\ud800b": "found characters that no path can have",
        }.items():
            with pytest.raises(DataError, match=found):
                check_readable(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a_file_without_the_right_to_read_is_refused(tmp_path):
    (tmp_path / "secret").touch(mode=0)
    with pytest.raises(DataError, match="Permission denied"):
        check_readable(tmp_path / "secret")
