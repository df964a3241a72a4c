"""Archives become files and folders; what else a stranger packs is refused by name, and nothing leaves the folder."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies

from autotest import errors
from autotest.archives import unpack
from autotest.archives.tree import Limits

TARS = [".tar", ".tar.gz", ".tar.zst"]


def member(name: str, content: bytes = b"", **fields) -> tuple[tarfile.TarInfo, io.BytesIO]:
    """A member of a tar archive; *fields* are those of TarInfo."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, io.BytesIO(content)


def mode_of(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    return info


def packed(*members):
    def fill(tar: tarfile.TarFile) -> None:
        for info, content in members:
            content.seek(0)
            tar.addfile(info, content)

    return fill


@pytest.mark.parametrize("suffix", TARS)
def test_a_tar_archive_becomes_its_files(written, suffix):
    path = written.tar(
        packed(
            member("./", type=tarfile.DIRTYPE),
            member("./image.bin", b"i" * 700_000),
            member("autotest/control/x/run.sh", b"#!", mode=0o6755),
            member("autotest/same", type=tarfile.LNKTYPE, linkname="image.bin"),
            member("autotest/link", type=tarfile.SYMTYPE, linkname="../image.bin"),
            member("empty", b""),
        ),
        suffix,
    )

    out = unpack.into(written.into, path, path.name)

    assert written.files() == {
        "image.bin": b"i" * 700_000,
        "autotest/control/x/run.sh": b"#!",
        "autotest/same": b"i" * 700_000,
        "autotest/link": b"-> ../image.bin",
        "empty": b"",
    }
    assert (out.bytes, out.members) == (700_002, 6)
    assert stat.S_IMODE((written.into / "autotest/control/x/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((written.into / "image.bin").stat().st_mode) == 0o644


def test_a_zip_archive_becomes_its_files(written):
    path = written.zip(
        ("image.bin", b"i" * 70_000),
        ("autotest/", b""),
        (mode_of("autotest/run.sh", stat.S_IFREG | 0o755), b"#!"),
        (mode_of("autotest/link", stat.S_IFLNK | 0o777), b"run.sh"),
    )

    unpack.into(written.into, path, path.name)

    assert written.files() == {"image.bin": b"i" * 70_000, "autotest/run.sh": b"#!", "autotest/link": b"-> run.sh"}
    assert os.access(written.into / "autotest/run.sh", os.X_OK)


REFUSED = {
    "dots": ([member("a/../../evil", b"x")], r"'a/\.\./\.\./evil' leads out of the archive"),
    "absolute": ([member("/etc/evil", b"x")], "'/etc/evil' has an absolute name"),
    "link out": ([member("l", type=tarfile.SYMTYPE, linkname="../secret")], "'l' is a link out of the archive"),
    "link to /": ([member("l", type=tarfile.SYMTYPE, linkname="/etc")], "'l' is a link out of the archive, to '/etc'"),
    "link over a link": (
        [
            member("d/up", type=tarfile.SYMTYPE, linkname=".."),
            member("l", type=tarfile.SYMTYPE, linkname="d/up/../secret"),
        ],
        "'l' is a link out of the archive",
    ),
    "below a link": (
        [member("l", type=tarfile.SYMTYPE, linkname="."), member("l/evil", b"x")],
        "'l/evil' lies below 'l', which is a link",
    ),
    "below a file": ([member("f", b"x"), member("f/evil", b"x")], "'f/evil' lies below 'f', which is a file"),
    "hard link out": (
        [member("h", type=tarfile.LNKTYPE, linkname="../../etc/passwd")],
        r"'h' leads to '\.\./\.\./etc/passwd'",
    ),
    "hard link to nothing": ([member("h", type=tarfile.LNKTYPE, linkname="other")], "'h' is a hard link to 'other'"),
    "hard link to a link": (
        [
            member("l", type=tarfile.SYMTYPE, linkname="f"),
            member("h", type=tarfile.LNKTYPE, linkname="l"),
        ],
        "'h' is a hard link to 'l', which is no file that came before it",
    ),
    "device": ([member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], "'null' is no file.*character device"),
    "disk": ([member("sda", type=tarfile.BLKTYPE)], "'sda' is no file.*block device"),
    "pipe": ([member("p", type=tarfile.FIFOTYPE)], "'p' is no file.*named pipe"),
    "swap to folder": (
        [member("a", b"x"), member("a", type=tarfile.DIRTYPE)],
        "'a' was a file before and is a folder now",
    ),
    "swap to link": (
        [member("a", b"x"), member("a", type=tarfile.SYMTYPE, linkname="b")],
        "'a' was a file before and is a link now",
    ),
    "swap to file": (
        [member("a", type=tarfile.SYMTYPE, linkname="b"), member("a", b"x")],
        "'a' was a link before and is a file now",
    ),
    "long name": ([member("n" * 300, b"x")], "has a name of more than 255 bytes"),
    "newline": ([member("a\nb", b"x")], r"'a\\nb' has a name that"),
    "not UTF-8": ([member("a\udcff", b"x")], r"'a\\udcff' has a name that"),
}


@pytest.mark.parametrize("suffix", TARS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_unpacked_is_refused_by_name(written, name, suffix, tmp_path):
    members, message = REFUSED[name]
    path = written.tar(packed(*members), suffix)
    before = sorted(tmp_path.iterdir())

    with pytest.raises(errors.ArchiveRefused, match=message):
        unpack.into(written.into, path, path.name)

    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("one", "content", "message"),
    [
        ("../evil", b"x", r"'\.\./evil' leads out"),
        ("/evil", b"x", "'/evil' has an absolute name"),
        ("a\\..\\evil", b"x", "has a backslash"),
        (mode_of("l", stat.S_IFLNK | 0o777), b"../../etc/passwd", "'l' is a link out of the archive"),
        (mode_of("l", stat.S_IFLNK | 0o777), b"x" * 5000, "'l' is a link to something that is no path"),
        (mode_of("p", stat.S_IFIFO | 0o666), b"", "'p' is no file"),
        (mode_of("d", stat.S_IFCHR | 0o666), b"", "'d' is no file"),
    ],
)
def test_what_a_zip_may_not_hold_is_refused_by_name(written, one, content, message):
    path = written.zip((one, content))

    with pytest.raises(errors.ArchiveRefused, match=message):
        unpack.into(written.into, path, path.name)


def test_a_file_that_comes_twice_is_the_later_one_and_its_other_names_stay_what_they_were(written):
    path = written.tar(
        packed(member("a", b"first"), member("b", type=tarfile.LNKTYPE, linkname="a"), member("a", b"second"))
    )

    unpack.into(written.into, path, path.name)

    assert written.files() == {"a": b"second", "b": b"first"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_a_bomb_is_refused_with_the_member_that_goes_too_far(written, suffix):
    path = written.tar(packed(member("small", b"x"), member("zeros", bytes(80 << 20))), suffix)

    with pytest.raises(errors.ArchiveRefused, match=r"'zeros' brings the archive to 83,886,081 bytes; 67,108,864"):
        unpack.into(written.into, path, path.name)

    assert not (written.into / "zeros").exists()


def test_a_zip_bomb_is_refused_with_the_member_that_goes_too_far(written):
    path = written.zip(("zeros", bytes(80 << 20)))

    with pytest.raises(errors.ArchiveRefused, match="'zeros' brings the archive to"):
        unpack.into(written.into, path, path.name)


def test_a_sparse_file_counts_with_its_holes(written):
    info, content = member("holes", b"1\n0\n1\n".ljust(512, b"\0") + b"x")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "holes",
        "GNU.sparse.realsize": str(1 << 50),
    }
    path = written.tar(packed((info, content)))

    with pytest.raises(errors.ArchiveRefused, match="'holes' brings the archive to"):
        unpack.into(written.into, path, path.name)


@pytest.mark.parametrize("suffix", TARS)
def test_a_sparse_file_keeps_its_holes(written, suffix):
    info, content = member("image", b"2\n4096\n3\n9000\n2\n".ljust(512, b"\0") + b"abcde")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "image",
        "GNU.sparse.realsize": "10000",
    }
    path = written.tar(packed((info, content), member("after", b"z")), suffix)

    unpack.into(written.into, path, path.name)

    wanted = bytearray(10_000)
    wanted[4096:4099], wanted[9000:9002] = b"abc", b"de"
    assert written.files() == {"image": bytes(wanted), "after": b"z"}


def test_the_limits_count_bytes_and_members(written):
    path = written.tar(packed(member("a", b"12345"), member("b", b"67890")))

    with pytest.raises(errors.ArchiveRefused, match="'b' brings the archive to 10 bytes; 9 are allowed"):
        unpack.into(written.into, path, path.name, Limits(bytes=9))
    with pytest.raises(errors.ArchiveRefused, match="'a' is one more than the 0 members"):
        unpack.into(written.into, path, path.name, Limits(members=0))


def test_whoever_keeps_account_of_the_disk_is_asked_before_each_file(written):
    path = written.tar(packed(member("a", b"12345"), member("b", b"67890")))

    def room(total: int) -> None:
        if total > 5:
            raise errors.NoRoom(f"no room for {total}")

    with pytest.raises(errors.NoRoom, match="no room for 10"):
        unpack.into(written.into, path, path.name, room=room)
    assert written.files() == {"a": b"12345"}


@pytest.mark.parametrize("suffix", TARS)
def test_an_archive_that_is_cut_off_anywhere_is_refused(written, suffix):
    whole = written.tar(packed(member("a", b"a" * 1000), member("b", b"b" * 1000)), suffix).read_bytes()
    path = written.into.parent / f"cut{suffix}"

    # The end of a tar archive is two empty blocks, and padding that nobody misses.
    lengths = range(0, 3 * 1024, 512) if suffix == ".tar" else range(0, len(whole), 7)
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(errors.ArchiveRefused, match=f"cut{suffix} is no sound"):
            unpack.into(written.into, path, path.name)
        for made in written.into.iterdir():
            made.unlink()


def test_a_damaged_header_is_not_taken_for_the_end(written):
    raw = bytearray(written.tar(packed(member("a", b"a"), member("b", b"b"), member("c", b"c"))).read_bytes())
    raw[1024] ^= 0xFF

    with pytest.raises(errors.ArchiveRefused, match="damaged at byte"):
        unpack.into(written.into, written.bytes(bytes(raw)), "bundle.tar")


def test_a_header_that_asks_for_gigabytes_of_names_is_refused(written):
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 1 << 32

    with pytest.raises(errors.ArchiveRefused, match="a header asks for"):
        unpack.into(written.into, written.bytes(info.tobuf()), "bundle.tar")


def test_headers_of_headers_of_headers_are_refused(written):
    longlink = tarfile.TarInfo("././@LongLink")
    longlink.type = tarfile.GNUTYPE_LONGNAME
    longlink.size = 1

    path = written.bytes((longlink.tobuf() + bytes(512)) * 20_000)

    with pytest.raises(errors.ArchiveRefused, match="no sound tar archive"):
        unpack.into(written.into, path, path.name)


@pytest.mark.parametrize("suffix", unpack.KINDS)
def test_what_is_no_archive_is_refused_as_such(written, suffix):
    path = written.into.parent / f"odd{suffix}"
    path.write_bytes(b"<html>404</html>" * 100)

    with pytest.raises(errors.ArchiveRefused, match=f"odd{suffix} is no sound"):
        unpack.into(written.into, path, path.name)


def test_a_name_that_is_no_archive_is_told_what_would_be_one(written, tmp_path):
    with pytest.raises(errors.ArchiveRefused, match=r"b\.rar is no archive that is known here: \.tar, "):
        unpack.into(written.into, tmp_path, "b.rar")


NAMES = strategies.lists(
    strategies.sampled_from(["..", ".", "", "a", "b", "link", "/", "\\", "x\0y", "ü", "\udc80", "a" * 300]),
    min_size=1,
    max_size=4,
).map("/".join)
MEMBERS = strategies.tuples(
    NAMES,
    strategies.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]),
    NAMES,
)


def where(path: Path, nowhere: Path) -> Path:
    """What the kernel makes of the path; *nowhere* for links that lead to nothing or in circles."""
    try:
        opened = os.open(path, os.O_PATH)
    except OSError:
        return nowhere
    try:
        return Path(f"/proc/self/fd/{opened}").readlink()
    finally:
        os.close(opened)


@hypothesis.given(strategies.lists(MEMBERS, max_size=6), strategies.sampled_from(TARS))
def test_no_names_and_links_lead_out_of_the_folder(members, suffix):
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name).resolve()
        into = outer / "in" / "to"
        into.mkdir(parents=True)
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", errors="surrogateescape") as tar:
            for path, kind, target in members:
                tar.addfile(*member(path, b"x" if kind == tarfile.REGTYPE else b"", type=kind, linkname=target))
        archive = outer / "bundle.tar"
        archive.write_bytes(raw.getvalue())

        try:
            unpack.into(into, archive, archive.name)
        except errors.ArchiveRefused:
            pass
        else:
            for path in into.rglob("*"):
                assert where(path, into).is_relative_to(into)
        assert {path.name for path in outer.iterdir()} == {"in", "bundle.tar"}
        assert [path.name for path in (outer / "in").iterdir()] == ["to"]


@hypothesis.given(strategies.binary(max_size=4000), strategies.sampled_from(sorted(unpack.KINDS)))
def test_no_bytes_give_anything_but_files_or_a_refusal(raw, suffix):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, f"odd{suffix}")
        path.write_bytes(raw)
        into = Path(name, "into")
        into.mkdir()
        try:
            out = unpack.into(into, path, path.name)
        except errors.ArchiveRefused:
            return
        assert out.members == len(list(into.rglob("*")))
